/** What a program says it is, and what is told to every process, as the pool asks and tells it. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseManifest } from "../../src/plugin/manifest.ts";
import { hasProc } from "../../src/plugin/process-usage.ts";
import { noSignal, rawHost } from "../harness/raw-plugin.ts";
import { waitFor } from "../harness/wait-for.ts";

const plugins = fileURLToPath(new URL("../../plugins", import.meta.url));

for (const name of ["file", "datagen", "blackhole"]) {
  test(`a program describes itself as its plugin.json does: ${name}`, async (t) => {
    const { processes } = await rawHost(t);
    const directory = join(plugins, name);
    const parsed = parseManifest(await readFile(join(directory, "plugin.json"), "utf8"), directory);
    assert.ok(parsed.at === "good");
    const { command } = parsed.manifest;
    const bare = { name: "bare", version: "", directory, command, classes: [] };
    const said = await processes.describe(bare, noSignal);
    assert.deepEqual(plain(said), plain(parsed.manifest));
  });
}

/** The classes point back at their manifest. */
function plain(manifest: object): unknown {
  return JSON.parse(
    JSON.stringify(manifest, (key, value) => (key === "plugin" ? undefined : value)),
  );
}

test("a program that fails to describe itself is told with its own words", async (t) => {
  const { processes, manifest } = await rawHost(t);
  await assert.rejects(processes.describe(manifest("good"), noSignal), {
    code: "plugin.request_failed",
    message: "unknown request",
  });
});

test("a level reaches the processes there are and those that start later", async (t) => {
  const { processes, manifest, log } = await rawHost(t);
  const plugin = manifest("good");
  const told = (connector: string, text: string) =>
    waitFor(
      () => log.lines.some((line) => line["connector"] === connector && line["msg"] === text),
      {
        withinMs: 5_000,
        what: `${text} at ${connector}`,
      },
    );
  await processes.acquire({ plugin, connector: "alpha" }, noSignal);
  await told("alpha", "level of root: 2");
  processes.setLogLevel("raw", "trace");
  processes.setLogLevel("", "error");
  await told("alpha", "level of raw: 1");
  await told("alpha", "level of root: 5");
  await processes.acquire({ plugin, connector: "beta" }, noSignal);
  await told("beta", "level of raw: 1");
  await told("beta", "level of root: 5");
});

test("the processes there are can be looked at", async (t) => {
  const { processes, manifest } = await rawHost(t);
  const use = { plugin: manifest("good"), connector: "alpha" };
  const lease = await processes.acquire(use, noSignal);
  const [view, ...others] = processes.processes();
  assert.equal(others.length, 0);
  const unsteady = { upMs: 0, rssBytes: 0, cpuMs: 0, sinceHeartbeatMs: 0 };
  for (const name of Object.keys(unsteady)) {
    const value = view?.[name as keyof typeof unsteady];
    const known = hasProc() || name === "upMs" || name === "sinceHeartbeatMs";
    assert.equal(typeof value, known ? "number" : "object", name);
  }
  assert.deepEqual(
    { ...view, ...unsteady },
    {
      ...unsteady,
      plugin: "raw",
      version: "1",
      pid: lease.process.pid,
      use: "connector",
      at: "ready",
      connectors: ["alpha"],
      stalled: false,
      restarts: 0,
      lastExit: null,
      tasks: [],
    },
  );
});
