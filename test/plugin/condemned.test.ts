/** A process in which something does not stop: who is told, who may still do what, and when it ends. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { within } from "../../src/base/deadline.ts";
import type { ProcessLease } from "../../src/plugin/plugin.ts";
import { isAlive } from "../harness/processes.ts";
import { noSignal, rawClass, rawHost, taskStart } from "../harness/raw-plugin.ts";
import { waitFor } from "../harness/wait-for.ts";

async function shared(t: Parameters<typeof rawHost>[0], shutdownMsMax: number) {
  const host = await rawHost(t, { processPer: "plugin", shutdownMsMax });
  const plugin = host.manifest("good");
  const acquire = (connector: string, task?: number) =>
    host.processes.acquire(
      { plugin, connector, ...(task === undefined ? {} : { task }) },
      noSignal,
    );
  return { ...host, acquire };
}

const isPending = async (work: Promise<unknown>) =>
  (await within(work, 50, "pending")) === "pending";

test("the others are told, may only stop, and the process ends when the last of them has", async (t) => {
  const { acquire, processes } = await shared(t, 20_000);
  const hanging = await acquire("alpha", 0);
  const task = await acquire("beta", 0);
  const instance = await acquire("beta");
  await instance.process.startConnector("beta", "raw.Source", {});
  const start = { ...taskStart("source"), connector: "beta" };
  const stream = await task.process.startSourceTask(start, noSignal);
  const { pid } = hanging.process;
  const condemning = hanging.condemn("task alpha-0 did not stop");

  assert.equal(hanging.condemned.aborted, false, "it is not told of itself");
  const message = `plugin process ${pid} (raw) has to end: task alpha-0 did not stop`;
  for (const { condemned } of [task, instance] satisfies ProcessLease[]) {
    assert.equal(condemned.reason?.code, "plugin.condemned");
    assert.equal(condemned.reason?.message, message);
  }
  assert.equal(processes.processes()[0]?.at, "condemned");
  await assert.rejects(instance.process.taskConfigs("beta", 1, []), { code: "plugin.condemned" });
  await assert.rejects(task.process.startSourceTask(start, noSignal), { code: "plugin.condemned" });
  const moved = await acquire("beta");
  assert.notEqual(moved.process.pid, pid);

  await instance.process.stopConnector("beta");
  assert.equal(await stream.stop(5_000), undefined);
  const released = instance.release();
  assert.ok(await isPending(released), "its place is free only after the exit");
  assert.ok(isAlive(pid));
  await Promise.all([task.release(), released, condemning]);
  assert.equal(isAlive(pid), false);
  const { text, expected } = await hanging.process.exited;
  assert.match(text, /was killed by the host: task alpha-0 did not stop$/);
  assert.equal(expected, false);
  await hanging.release();
});

test("a helper that became a connector's process gives the others their time too", async (t) => {
  const { acquire, processes, manifest } = await shared(t, 20_000);
  await processes.validate(rawClass(manifest("good"), "source"), { name: "alpha" }, noSignal);
  const [helper] = processes.processes();
  const hanging = await acquire("alpha", 0);
  const task = await acquire("beta", 0);
  assert.equal(hanging.process.pid, helper?.pid);
  const condemning = hanging.condemn("task alpha-0 did not stop");
  assert.ok(await isPending(condemning), "beta has not stopped yet");
  assert.ok(isAlive(hanging.process.pid));
  await Promise.all([task.release(), condemning]);
});

test("the others have one deadline together", async (t) => {
  const { acquire } = await shared(t, 500);
  const hanging = await acquire("alpha", 0);
  const slow = await acquire("beta", 0);
  const startMs = performance.now();
  await hanging.condemn("task alpha-0 did not stop");
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs >= 490 && tookMs < 15_000, `${tookMs}`);
  assert.equal(isAlive(slow.process.pid), false);
  await slow.release();
});

test("one more that does not stop counts as stopped", async (t) => {
  const { acquire } = await shared(t, 60_000);
  const leases = await Promise.all([acquire("alpha", 0), acquire("beta", 0)]);
  await Promise.all(leases.map((lease) => lease.condemn("it did not stop")));
  assert.equal(isAlive(leases[0]?.process.pid ?? 0), false);
});

test("a task that neither starts nor stops condemns the process, and its start fails", async (t) => {
  const { acquire } = await shared(t, 500);
  const other = await acquire("beta", 0);
  const task = await acquire("alpha", 0);
  const start = taskStart("source", { behaviour: "start-hangs" }, 300);
  const starting = task.process.startSourceTask(start, noSignal);
  starting.catch(() => {});
  await waitFor(() => other.condemned.aborted, { withinMs: 20_000, what: "the other to be told" });
  assert.equal(task.condemned.aborted, false);
  await other.release();
  await assert.rejects(starting, {
    code: "plugin.request_timeout",
    message: "task alpha-0 did not start within 300 ms",
  });
  assert.equal(isAlive(task.process.pid), false);
});

test("a process whose session has ended takes nobody in, also before its exit", async (t) => {
  const { processes, manifest } = await rawHost(t, { processPer: "plugin" });
  const plugin = manifest("closes-session");
  const acquire = () => processes.acquire({ plugin, connector: "alpha" }, noSignal);
  await acquire();
  const newcomers: Promise<unknown>[] = [];
  const together = () => {
    newcomers.push(acquire());
    return processes.processes().length === 2;
  };
  await waitFor(together, { withinMs: 20_000, what: "another process beside the first" });
  await Promise.all(newcomers);
});
