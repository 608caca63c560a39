/** A plugin process from its launch to its end, good ones and bad ones. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { test } from "node:test";
import type { PluginManifest, PluginProcesses } from "../../src/plugin/plugin.ts";
import { commandOf, descendantsOf, isAlive } from "../harness/processes.ts";
import { noSignal, rawCommand, rawHost, taskStart } from "../harness/raw-plugin.ts";
import { waitFor } from "../harness/wait-for.ts";

test("a process says hello, serves its connector and ends when the last lease is released", async (t) => {
  const { processes, manifest } = await rawHost(t);
  const use = { plugin: manifest("good"), connector: "alpha" };
  const lease = await processes.acquire(use, noSignal);
  const { process: plugin } = lease;
  await plugin.startConnector("alpha", "raw.Source", { name: "alpha" });
  const { taskClass, configs } = await plugin.taskConfigs("alpha", 2, []);
  assert.equal(taskClass, "raw.Task");
  assert.deepEqual(configs, [
    { offsets: '["alpha {\\"p\\":1}",null]', foreign: "no answer" },
    { last: "true" },
  ]);
  await plugin.stopConnector("alpha");
  await lease.release();
  const exit = await plugin.exited;
  assert.equal(exit.expected, true);
  assert.equal(exit.text, `plugin process ${plugin.pid} (raw) exited with code 0`);
  assert.equal(isAlive(plugin.pid), false);
});

test("a failed request has the plugin's sentence as message and its stack as trace", async (t) => {
  const { processes, manifest } = await rawHost(t);
  const lease = await processes.acquire({ plugin: manifest("good"), connector: "alpha" }, noSignal);
  await assert.rejects(
    lease.process.startConnector("alpha", "raw.Source", { behaviour: "fails" }),
    {
      code: "plugin.request_failed",
      message: "cannot start",
      trace: /RawError: cannot start\n {2}at raw/,
    },
  );
});

test("a request without an answer is cancelled at its deadline, naming request, connector and time", async (t) => {
  const { processes, manifest, log } = await rawHost(t, { requestMsMax: 300 });
  const lease = await processes.acquire({ plugin: manifest("good"), connector: "alpha" }, noSignal);
  await assert.rejects(lease.process.taskConfigs("alpha", 99, []), {
    code: "plugin.request_timeout",
    message: "the plugin did not answer TaskConfigs of alpha within 300 ms",
  });
  await waitFor(() => log.find("cancel 1") !== undefined, { withinMs: 20_000, what: "the Cancel" });
});

for (const { name, mode, command, expect } of [
  {
    name: "a program that is missing",
    command: ["./nothing-here"],
    expect:
      /^cannot start plugin raw: there is no program .*nothing-here; build the plugin, or correct command/,
  },
  {
    name: "a program that is not on PATH",
    command: ["no-such-program-at-all"],
    expect: /^cannot start plugin raw: the program no-such-program-at-all was not found on PATH$/,
  },
  {
    name: "a program without execute permission",
    command: ["./plain"],
    expect:
      /^cannot start plugin raw: .*plain has no execute permission; give it one with chmod \+x$/,
  },
  {
    name: "a process that exits at once",
    mode: "exits",
    expect:
      /^cannot start plugin raw: plugin process \d+ \(raw\) exited with code 3 before it said hello; its last lines on stderr:\nfirst line of trouble\nno such database$/,
  },
  {
    name: "a process that stays silent",
    mode: "silent",
    expect:
      /^cannot start plugin raw: plugin process \d+ \(raw\) did not say hello within 1000 ms$/,
  },
  {
    name: "a wrong token",
    mode: "wrong-token",
    expect: /exited with code 0 before it said hello; .*\nrejected: token: the token is unknown/,
  },
  {
    name: "a plugin of a newer contract",
    mode: "newer",
    expect: /it speaks protocol 2 to 3, this host speaks 1/,
  },
]) {
  test(`${name} is a launch failure with the reason`, async (t) => {
    const { processes, manifest } = await rawHost(t, {
      connectMsMax: mode === "silent" ? 1_000 : 20_000,
    });
    const plugin = manifest(mode ?? "", command ?? rawCommand(mode ?? ""));
    await assert.rejects(processes.acquire({ plugin, connector: "alpha" }, noSignal), {
      code: "plugin.launch_failed",
      message: expect,
    });
    assert.equal(pluginsBelow(), 0);
  });
}

test("a killed process is seen within a second, with the signal, by its streams and its lease", async (t) => {
  const { processes, manifest } = await rawHost(t);
  // One of three: a machine that stands still for a while is none of it.
  const tookMs: number[] = [];
  for (let tries = 0; tries < 3 && Math.min(...tookMs) >= 1_000; tries += 1) {
    tookMs.push(await killedAndSeen(processes, manifest("good")));
  }
  assert.ok(Math.min(...tookMs) < 1_000, tookMs.join());
});

/** How long it took until its stream ended. */
async function killedAndSeen(processes: PluginProcesses, plugin: PluginManifest): Promise<number> {
  const lease = await processes.acquire({ plugin, connector: "alpha" }, noSignal);
  const stream = await lease.process.startSourceTask(taskStart("source"), noSignal);
  const startMs = performance.now();
  process.kill(lease.process.pid, "SIGKILL");
  assert.equal(await stream.next(), undefined);
  const expected = `plugin process ${lease.process.pid} (raw) was killed by SIGKILL`;
  assert.equal(await stream.ended, expected);
  const tookMs = performance.now() - startMs;
  assert.deepEqual(await lease.process.exited, { text: expected, expected: false, lastStderr: [] });
  await assert.rejects(stream.stop(1_000), { code: "plugin.gone" });
  await assert.rejects(lease.process.taskConfigs("alpha", 1, []), { code: "plugin.gone" });
  await lease.release();
  const again = await processes.acquire({ plugin, connector: "alpha" }, noSignal);
  assert.notEqual(again.process.pid, lease.process.pid);
  await again.release();
  return tookMs;
}

test("a process that ends its session is ended", async (t) => {
  const { processes, manifest } = await rawHost(t);
  const lease = await processes.acquire(
    { plugin: manifest("closes-session"), connector: "alpha" },
    noSignal,
  );
  const { text, expected } = await lease.process.exited;
  assert.match(text, /exited with code 0|it ended its session/);
  assert.equal(expected, false);
});

test("I6: a process that ignores Shutdown, the end of stdin and SIGTERM is killed, step by step", async (t) => {
  const { processes, manifest, log } = await rawHost(t, { shutdownMsMax: 300, signalMsMax: 300 });
  const lease = await processes.acquire(
    { plugin: manifest("stubborn"), connector: "alpha" },
    noSignal,
  );
  const { pid } = lease.process;
  await lease.release();
  assert.equal(isAlive(pid), false);
  for (const step of [
    "did not acknowledge Shutdown",
    "end of stdin: SIGTERM",
    "SIGTERM: SIGKILL",
  ]) {
    assert.equal(log.find(step)?.["ms"], 300, step);
  }
});

test("I6: the children of a plugin end with it", async (t) => {
  const { processes, manifest, log } = await rawHost(t);
  const lease = await processes.acquire(
    { plugin: manifest("parent"), connector: "alpha" },
    noSignal,
  );
  await waitFor(() => log.find("child ") !== undefined, { withinMs: 20_000, what: "its child" });
  const child = Number(String(log.find("child ")?.["msg"]).split(" ")[1]);
  assert.equal(isAlive(child), true);
  process.kill(lease.process.pid, "SIGKILL");
  await lease.process.exited;
  await waitFor(() => !isAlive(child), { withinMs: 20_000, what: "the child's end" });
});

test("a condemned process takes no new work and is killed", async (t) => {
  const { processes, manifest } = await rawHost(t);
  const use = { plugin: manifest("good"), connector: "alpha" };
  const lease = await processes.acquire(use, noSignal);
  const condemned = lease.condemn("task alpha-0 did not stop");
  const other = await processes.acquire(use, noSignal);
  assert.notEqual(other.process.pid, lease.process.pid);
  await condemned;
  const { text } = await lease.process.exited;
  assert.match(text, /was killed by the host: task alpha-0 did not stop$/);
});

for (const { processPer, expect } of [
  { processPer: "task", expect: 4 },
  { processPer: "connector", expect: 2 },
  { processPer: "plugin", expect: 1 },
] as const) {
  test(`plugin.process.per=${processPer} puts two connectors of two residents into ${expect} processes`, async (t) => {
    const { processes, manifest } = await rawHost(t, { processPer });
    const plugin = manifest("good");
    const leases = await Promise.all(
      ["alpha", "beta"].flatMap((connector) => [
        processes.acquire({ plugin, connector }, noSignal),
        processes.acquire({ plugin, connector, task: 0 }, noSignal),
      ]),
    );
    assert.equal(new Set(leases.map((lease) => lease.process.pid)).size, expect);
    await Promise.all(leases.map((lease) => lease.release()));
    assert.equal(pluginsBelow(), 0);
  });
}

test("two programs of one folder and version never share a process", async (t) => {
  const { processes, manifest } = await rawHost(t, { processPer: "plugin" });
  const one = manifest("good");
  const other = { ...one, command: [...one.command, "another"] };
  const use = (plugin: PluginManifest) => ({ plugin, connector: "alpha" });
  const first = await processes.acquire(use(one), noSignal);
  const second = await processes.acquire(use(other), noSignal);
  assert.notEqual(first.process.pid, second.process.pid);
  await Promise.all([first.release(), second.release()]);
});

test("an acquire that is aborted leaves no process behind", async (t) => {
  const { processes, manifest } = await rawHost(t);
  const stop = new AbortController();
  const acquiring = processes.acquire(
    { plugin: manifest("silent"), connector: "alpha" },
    stop.signal,
  );
  await waitFor(() => pluginsBelow() > 0, { withinMs: 20_000, what: "a process" });
  stop.abort(new Error("not any more"));
  await assert.rejects(acquiring, /not any more/);
  assert.equal(pluginsBelow(), 0);
});

test("closing ends every process and removes the socket with its folder", async (t) => {
  const folders = async () =>
    (await readdir(tmpdir())).filter((name) => name.startsWith("bulkhead-"));
  const before = await folders();
  const { processes, manifest } = await rawHost(t);
  const mine = (await folders()).filter((name) => !before.includes(name));
  await processes.acquire({ plugin: manifest("good"), connector: "alpha" }, noSignal);
  await processes.acquire({ plugin: manifest("good"), connector: "beta" }, noSignal);
  await processes.close();
  assert.equal(pluginsBelow(), 0);
  const after = await folders();
  assert.ok(mine.some((name) => !after.includes(name)));
  await assert.rejects(
    processes.acquire({ plugin: manifest("good"), connector: "alpha" }, noSignal),
    { code: "plugin.closed" },
  );
});

/** Children of this process that run the raw plugin. */
function pluginsBelow(): number {
  return descendantsOf(process.pid).filter((pid) => commandOf(pid).includes("raw-plugin.mjs"))
    .length;
}
