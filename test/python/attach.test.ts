/** Plain Python started by hand, without a plugin.json: a worker with its connectors waits for it. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { linesOf } from "../harness/bystander.ts";
import { repository, startHost, temporaryDirectory } from "../harness/host-process.ts";
import { pythonEnvironment } from "../harness/python.ts";
import { waitFor } from "../harness/wait-for.ts";

const { python, missing } = await pythonEnvironment();
const count = 2_000;

test("connectors of the command line start when their plugin comes, and go on when it comes again", {
  skip: missing ?? false,
}, async (t) => {
  const directory = await temporaryDirectory(t);
  const output = join(directory, "output");
  const numbers = { "connector.class": "PythonSource", topic: "numbers", count: String(count) };
  const copy = { "connector.class": "PythonSink", topics: "numbers", file: output };
  const host = await startHost({
    directory,
    worker: { "plugin.attach": "python", "plugin.attach.dir": join(directory, "attach") },
    connectors: [
      { name: "numbers", ...numbers },
      { name: "copy", ...copy },
    ],
  });
  t.after(() => host.kill());
  const waits = (line: string) =>
    line.includes("no plugin has class PythonSource, but one to attach may");
  await waitFor(() => host.log.some(waits), { withinMs: 20_000, what: "the host to wait" });
  assert.deepEqual((await host.request("GET", "/connectors")).body, []);

  const first = start(t, directory);
  await host.waitForState("copy", "RUNNING");
  await waitFor(async () => (await linesOf(output)).length > 0, { withinMs: 20_000 });
  first.kill("SIGKILL");
  await host.waitForState("numbers", "UNASSIGNED");
  await host.waitForState("copy", "UNASSIGNED");

  const second = start(t, directory);
  const all = async () => [...new Set(await linesOf(output))];
  await waitFor(async () => (await all()).length >= count, {
    withinMs: 20_000,
    what: `${count} numbers`,
  });
  assert.deepEqual(
    await all(),
    Array.from({ length: count }, (_, n) => `python ${n + 1}`),
  );
  const exited = once(second, "exit");
  assert.equal(await host.stop(), 0);
  assert.deepEqual(await exited, [0, null]);
});

/** Its stdin is at its end, which says nothing to it. */
function start(t: { after(work: () => void): void }, directory: string): ChildProcess {
  const program = join(repository, "test", "fixtures", "python", "plugin.py");
  const env = { ...process.env, BULKHEAD_CONNECT: join(directory, "attach", "python.json") };
  const child = spawn(python, [program], { env, stdio: ["ignore", "inherit", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  return child;
}
