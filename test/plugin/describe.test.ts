/** What a program says it is, and what is told to every process, as the pool asks and tells it. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { logLevelsFrom } from "../../src/observe/log-levels.ts";
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

test("a program that is slow with each of many classes has one deadline for all", async (t) => {
  const { processes, manifest } = await rawHost(t, { requestMsMax: 1_000 });
  const asking = processes.describe(manifest("many-classes"), noSignal);
  await assert.rejects(asking, { code: "plugin.request_timeout" });
});

test("a level reaches the processes that it is about, now and those that start later", async (t) => {
  const levels = logLevelsFrom("info");
  const { processes, manifest, log } = await rawHost(t, { levels });
  const plugin = manifest("good");
  const toldTo = (connector: string) =>
    log.lines
      .filter((line) => line["connector"] === connector)
      .flatMap(({ msg }) => /^level of (.*)$/.exec(String(msg))?.[1] ?? []);
  const told = (connector: string, words: string[]) =>
    waitFor(() => toldTo(connector).length >= words.length, {
      withinMs: 20_000,
      what: `${words} at ${connector}`,
    }).then(() => assert.deepEqual(toldTo(connector).sort(), [...words].sort()));
  const alpha = await processes.acquire({ plugin, connector: "alpha" }, noSignal);
  await told("alpha", ["root: 3"]);
  levels.set("com.acme", "TRACE");
  levels.set("connector.alpha", "DEBUG");
  levels.set("bulkhead.rest", "DEBUG");
  await told("alpha", ["root: 3", "com.acme: 1", "root: 2"]);
  await processes.acquire({ plugin, connector: "beta" }, noSignal);
  await told("beta", ["root: 3", "com.acme: 1"]);
  levels.set("plugin.raw", "DEBUG");
  await told("beta", ["root: 3", "com.acme: 1", "root: 2"]);
  // A connector's own level counts for more.
  levels.set("connector.beta", "WARN");
  await alpha.release();
  assert.equal(toldTo("alpha").length, 3);
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

test("a place tells how its last process ended, and how many there were", async (t) => {
  const connectors = new Set(["alpha"]);
  const { processes, manifest } = await rawHost(t, { isConnector: (name) => connectors.has(name) });
  const use = { plugin: manifest("good"), connector: "alpha" };
  for (const restarts of [0, 1]) {
    const lease = await processes.acquire(use, noSignal);
    const { pid } = lease.process;
    const [living] = processes.processes();
    assert.deepEqual([living?.at, living?.pid, living?.restarts], ["ready", pid, restarts]);
    process.kill(pid, "SIGKILL");
    const { text } = await lease.process.exited;
    await lease.release();
    const [ended, ...others] = processes.processes();
    assert.deepEqual(others, []);
    assert.deepEqual(
      [ended?.at, ended?.pid, ended?.restarts, ended?.connectors, ended?.lastExit?.text],
      ["ended", null, restarts, ["alpha"], text],
    );
    assert.ok(Date.now() - Date.parse(ended?.lastExit?.at ?? "") < 60_000);
  }
  const missing = manifest("", ["./nothing-here"]);
  await assert.rejects(processes.acquire({ plugin: missing, connector: "alpha" }, noSignal));
  const [, never] = processes.processes();
  assert.match(never?.lastExit?.text ?? "", /^cannot start plugin raw: there is no program/);
  connectors.clear();
  assert.deepEqual(processes.processes(), []);
});
