/** Questions to a program run in a process without tasks, which is kept for a while. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { logLevelsFrom } from "../../src/observe/log-levels.ts";
import type { PluginManifest } from "../../src/plugin/plugin.ts";
import { temporaryDirectory } from "../harness/host-process.ts";
import { isAlive } from "../harness/processes.ts";
import {
  noSignal,
  type RawHost,
  rawClass,
  rawCommand,
  rawHost,
  rawProgram,
} from "../harness/raw-plugin.ts";
import { waitFor } from "../harness/wait-for.ts";

/** The pid of the process that answers. */
async function validate(
  { processes }: RawHost,
  plugin: PluginManifest,
  config: Record<string, string> = {},
  signal = noSignal,
): Promise<number> {
  const asked = { name: "alpha", ...config };
  const { values } = await processes.validate(rawClass(plugin, "source"), asked, signal);
  assert.deepEqual(values[0]?.errors, ["not this one"]);
  return Number(values[0]?.value);
}

test("a helper answers one question after the other, also side by side, and ends when idle", async (t) => {
  const host = await rawHost(t, { helperWarmMsMax: 1_000 });
  const plugin = host.manifest("good");
  const pids = await Promise.all([
    validate(host, plugin),
    validate(host, plugin, { name: "beta" }),
  ]);
  pids.push(await validate(host, plugin));
  assert.equal(new Set(pids).size, 1);
  const [view] = host.processes.processes();
  assert.deepEqual([view?.use, view?.at, view?.connectors], ["helper", "ready", []]);
  await waitFor(() => host.processes.processes().length === 0, { withinMs: 20_000 });
  assert.equal(isAlive(pids[0] ?? 0), false);
  assert.notEqual(await validate(host, plugin), pids[0]);
});

for (const { processPer, task } of [
  { processPer: "connector", task: undefined },
  { processPer: "plugin", task: undefined },
  { processPer: "task", task: 0 },
] as const) {
  test(`with plugin.process.per=${processPer} a helper that rests becomes a connector's process`, async (t) => {
    const levels = logLevelsFrom("info");
    const host = await rawHost(t, { processPer, levels });
    const { processes, log } = host;
    const plugin = host.manifest("good");
    const pid = await validate(host, plugin);
    const use = { plugin, connector: "alpha", ...(task === undefined ? {} : { task }) };
    const lease = await processes.acquire(use, noSignal);
    assert.equal(lease.process.pid, pid);
    const [view] = processes.processes();
    assert.deepEqual([view?.use, view?.connectors, view?.restarts], ["connector", ["alpha"], 0]);
    levels.set("com.acme", "TRACE");
    await waitFor(() => log.find("level of com.acme") !== undefined, { withinMs: 20_000 });
    assert.equal(log.find("level of com.acme")?.["connector"], "alpha");
    // From now on it serves no questions.
    assert.notEqual(await validate(host, plugin), pid);
    assert.equal((await lease.process.taskConfigs("alpha", 1, [])).taskClass, "raw.Task");
  });
}

for (const processPer of ["connector", "plugin"] as const) {
  test(`with plugin.process.per=${processPer} one that was started ahead is taken by the first who comes`, async (t) => {
    const host = await rawHost(t, { processPer, helperWarmMsMax: 60_000 });
    const { processes } = host;
    const plugin = host.manifest("good");
    processes.startAhead(plugin);
    processes.startAhead(plugin);
    await waitFor(() => processes.processes().length > 0, { withinMs: 20_000 });
    // It has hardly said hello yet.
    assert.match(shown(host).join(), /^helper (starting|ready)$/);
    const lease = await processes.acquire({ plugin, connector: "alpha" }, noSignal);
    assert.deepEqual(shown(host), ["connector ready"]);
    assert.equal(processes.processes()[0]?.restarts, 0);
    assert.equal(processes.processes()[0]?.pid, lease.process.pid);
    assert.equal((await lease.process.taskConfigs("alpha", 1, [])).taskClass, "raw.Task");
    await lease.release();
    assert.equal(isAlive(lease.process.pid), false);
  });
}

test("one that was started ahead ends when nobody comes, or with the host", async (t) => {
  const host = await rawHost(t, { helperWarmMsMax: 1_000 });
  const { processes } = host;
  processes.startAhead(host.manifest("good"));
  await waitFor(() => processes.processes().length > 0, { withinMs: 20_000 });
  // On a busy machine its time may be over before it has said hello.
  await waitFor(() => shown(host).length === 0, { withinMs: 20_000 });
  processes.startAhead(host.manifest("good"));
  await waitFor(() => shown(host).length > 0, { withinMs: 20_000 });
  await processes.close();
  assert.deepEqual(shown(host), []);
  processes.startAhead(host.manifest("good"));
});

test("one that was started ahead and failed fails nobody who comes later", async (t) => {
  const host = await rawHost(t);
  const { processes } = host;
  const once = join(await temporaryDirectory(t), "once");
  const script = `
    const { existsSync, writeFileSync } = require("node:fs");
    if (!existsSync(${JSON.stringify(once)})) {
      writeFileSync(${JSON.stringify(once)}, "");
      process.exit(3);
    }
    process.argv = [process.argv[0], ${JSON.stringify(rawProgram())}, "good"];
    import(${JSON.stringify(pathToFileURL(rawProgram()).href)});
  `;
  const plugin = host.manifest("good", ["node", "-e", script]);
  processes.startAhead(plugin);
  await waitFor(() => host.log.find("exited with code 3") !== undefined || exits(host).length > 0, {
    withinMs: 20_000,
    what: "the first start to fail",
  });
  const lease = await processes.acquire({ plugin, connector: "alpha" }, noSignal);
  assert.deepEqual(shown(host), ["connector ready"]);
  assert.equal((await lease.process.taskConfigs("alpha", 1, [])).taskClass, "raw.Task");
  assert.match(exits(host).join(), /exited with code 3/);
});

/** How processes ended. */
function exits({ processes }: RawHost): string[] {
  return processes.processes().flatMap(({ lastExit }) => lastExit?.text ?? []);
}

/** What each process is for, and how far it is. */
function shown({ processes }: RawHost): string[] {
  return processes
    .processes()
    .filter(({ at }) => at !== "ended")
    .map(({ use, at }) => `${use} ${at}`);
}

test("a helper that moves in with a connector is told what that one's log shall hold", async (t) => {
  const levels = logLevelsFrom("info");
  levels.set("connector.alpha", "DEBUG");
  const host = await rawHost(t, { levels });
  const plugin = host.manifest("good");
  await validate(host, plugin, { name: "beta" });
  const lease = await host.processes.acquire({ plugin, connector: "alpha" }, noSignal);
  await lease.process.startConnector("alpha", "raw.Source", {});
  const lines = () => host.log.lines.map(({ msg }) => `${msg}`);
  const told = () => lines().filter((line) => line.startsWith("level of root"));
  await waitFor(() => told().length >= 2, { withinMs: 20_000, what: "the new level" });
  assert.deepEqual(told(), ["level of root: 3", "level of root: 2"]);
});

test("a helper that is asked something now stays one; a question given up is its last", async (t) => {
  const host = await rawHost(t);
  const plugin = host.manifest("good");
  const pid = await validate(host, plugin);
  const giveUp = new AbortController();
  const asking = validate(host, plugin, { behaviour: "hangs" }, giveUp.signal);
  await waitFor(() => host.log.find("asked to validate") !== undefined, { withinMs: 20_000 });
  const lease = await host.processes.acquire({ plugin, connector: "alpha" }, noSignal);
  assert.notEqual(lease.process.pid, pid);
  assert.equal(await validate(host, plugin, { name: "beta" }), pid);
  giveUp.abort(new Error("not any more"));
  await assert.rejects(asking, /not any more/);
  await waitFor(() => !isAlive(pid), { withinMs: 20_000 });
  await waitFor(() => host.log.find("cancel ") !== undefined, {
    withinMs: 20_000,
    what: "the plugin to say that it was told",
  });
});

test("I5: of many programs that were asked the last four stay", async (t) => {
  const host = await rawHost(t);
  const pids: number[] = [];
  for (let n = 1; n <= 6; n += 1) {
    const plugin = host.manifest("good", [...rawCommand("good"), `program ${n}`]);
    pids.push(await validate(host, plugin));
  }
  const alive = () => pids.map((pid) => isAlive(pid));
  await waitFor(() => !alive().slice(0, 2).includes(true), { withinMs: 20_000 });
  assert.deepEqual(alive(), [false, false, true, true, true, true]);
});

test("a program that has changed on disk is started anew", async (t) => {
  const host = await rawHost(t);
  const plugin = host.manifest("good");
  const pid = await validate(host, plugin);
  await writeFile(join(plugin.directory, "plugin.json"), "{}");
  const lease = await host.processes.acquire({ plugin, connector: "alpha" }, noSignal);
  assert.notEqual(lease.process.pid, pid);
  const newer = await validate(host, plugin);
  assert.notEqual(newer, pid);
  await waitFor(() => !isAlive(pid), { withinMs: 20_000, what: "the end of the older one" });
});

test("a helper that dies fails what it was asked, with the reason; the next question has a new one", async (t) => {
  const host = await rawHost(t);
  const plugin = host.manifest("good");
  const lease = await host.processes.acquire({ plugin, connector: "alpha" }, noSignal);
  const pid = await validate(host, plugin);
  await assert.rejects(validate(host, plugin, { behaviour: "dies" }), {
    code: "plugin.gone",
    message: `cannot get Validate of alpha: plugin process ${pid} (raw) exited with code 5; its last lines on stderr:\nout of memory`,
  });
  assert.notEqual(await validate(host, plugin), pid);
  assert.equal((await lease.process.taskConfigs("alpha", 1, [])).taskClass, "raw.Task");
});

test("a helper that does not answer in time is given up for a new one", async (t) => {
  const host = await rawHost(t, { requestMsMax: 1_500 });
  const plugin = host.manifest("good");
  const pid = await validate(host, plugin);
  await assert.rejects(validate(host, plugin, { behaviour: "hangs" }), {
    code: "plugin.request_timeout",
    message: "the plugin did not answer Validate of alpha within 1500 ms",
  });
  assert.notEqual(await validate(host, plugin), pid);
  await waitFor(() => !isAlive(pid), { withinMs: 20_000, what: "the end of the late one" });
});

const source = [
  { partition: '{"file":"a"}', offset: "7" },
  { partition: '{"file":"b"}', offset: null },
];
const sink = [
  { topic: "t", partition: 0, offset: 7 },
  { topic: "t", partition: 1, offset: null },
];

const answers = [
  {
    answer: "1",
    change: { source },
    expect: "done",
    seen: '{"partition":"{\\"file\\":\\"a\\"}","offset":"7"},{"partition":"{\\"file\\":\\"b\\"}"}',
  },
  {
    answer: "2",
    change: { sink },
    expect: "not done",
    seen: '{"topic":"t","partition":0,"offset":7},{"topic":"t","partition":1}',
  },
  { answer: "3", change: { source }, expect: "unsupported", seen: "" },
  { answer: "unknown", change: { source }, expect: "unsupported", seen: "" },
];

test("AlterOffsets is answered with done, not done or unsupported; anything else is the plugin's fault", async (t) => {
  const { processes, manifest, log } = await rawHost(t);
  const alter = (answer: string, change: object) =>
    processes.alterOffsets(
      manifest("good"),
      { connector: "alpha", className: "raw.Source", config: { answer }, ...change },
      noSignal,
    );
  for (const { answer, change, expect, seen } of answers) {
    assert.equal(await alter(answer, change), expect, answer);
    assert.ok(log.find(`alter [${seen}`), JSON.stringify(log.find("alter ")));
  }
  await assert.rejects(alter("0", { source }), { code: "plugin.protocol_error" });
});
