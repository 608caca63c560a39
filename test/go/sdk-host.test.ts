/** The examples of the Go SDK in a real host: records travel, and a trace is told. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { goExample, goMissing } from "../harness/go.ts";
import { startHost, temporaryDirectory } from "../harness/host-process.ts";
import { waitFor } from "../harness/wait-for.ts";

const missing = await goMissing();

test("a Go source feeds a Go sink, over failures that name the line of their file", {
  skip: missing ?? false,
}, async (t) => {
  const directory = await temporaryDirectory(t);
  const plugins = join(directory, "plugins");
  for (const name of ["counter", "lines"]) await goExample(name, plugins);
  const host = await startHost({ directory, worker: { "plugin.path": plugins } });
  t.after(() => host.kill());
  const file = join(directory, "out.txt");
  const set = (name: string, config: Record<string, string>) =>
    host.request("PUT", `/connectors/${name}/config`, config);
  await set("lines", { "connector.class": "LinesSink", topics: "numbers", file });
  const counter = { "connector.class": "Counter", topic: "numbers", count: "3000" };
  await set("counter", { ...counter, "fail.at": "2345" });
  let trace = "";
  await waitFor(
    async () => {
      const { body } = await host.request("GET", "/connectors/counter/status");
      trace = body.tasks?.[0]?.trace ?? "";
      return trace !== "";
    },
    { withinMs: 30_000, what: "the source to fail" },
  );
  assert.match(trace, /2345 is the number to fail at/);
  assert.match(trace, /main\.go:\d+/);
  const refused = await set("counter", { ...counter, batch: "none" });
  assert.equal(refused.status, 400);
  assert.match(refused.body.message, /Invalid value none for configuration batch: Not a number/);

  await set("counter", counter);
  const lines = async () => (await readFile(file, "utf8").catch(() => "")).split("\n").slice(0, -1);
  // What came since the last commit may come again.
  const once = async () => [...new Set(await lines())];
  await waitFor(async () => (await once()).length >= 3_000, {
    withinMs: 60_000,
    what: "all numbers in the file",
  });
  const expected = Array.from({ length: 3_000 }, (_, n) => `number ${n + 1}`);
  assert.deepEqual(await once(), expected);
  assert.equal(await host.stop(), 0, host.log.slice(-30).join("\n"));
});
