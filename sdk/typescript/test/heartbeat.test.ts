/** What a heartbeat says of a task: what it does, since when, what it has to overcome. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TaskActivity, type TaskHeartbeat } from "../src/gen/bulkhead/plugin/v1/session_pb.ts";
import { checkpoint, RetriableError, sink, source } from "../src/index.ts";
import type { HostEnd } from "./host-end.ts";
import { stop, withSink } from "./running-sink.ts";
import { gateOf, grant, line, untilStopped, withSource } from "./running-source.ts";

/** The next heartbeat for which this holds. */
async function beat(
  host: HostEnd,
  holds: (task: TaskHeartbeat) => boolean,
): Promise<TaskHeartbeat> {
  const seen: string[] = [];
  for (let beats = 0; beats < 100; beats += 1) {
    const { tasks } = await host.session.inbox.next("heartbeat");
    const [task] = tasks;
    if (task !== undefined && holds(task)) return task;
    seen.push(task === undefined ? "no task" : `activity ${task.activity}`);
  }
  throw new Error(`no such heartbeat among ${seen}`);
}

/** What has happened since cannot be longer ago, however late a heartbeat comes. */
const wholeMsSince = (ms: number) => BigInt(Math.ceil(performance.now() - ms) + 1);

test("a sink that waits for its retry is backing off, also after a flush, until a put goes well", async () => {
  let puts = 0;
  const gates = { put: gateOf(), flush: gateOf() };
  const made = sink({
    class: "S",
    async put() {
      puts += 1;
      if (puts === 1) throw new RetriableError("busy", { retryAfterMs: 70 });
      await gates.put.promise;
    },
    async flush() {
      await gates.flush.promise;
    },
  });
  await withSink(made, async ({ host, task, put }) => {
    assert.equal((await put.now(["a", "b"])).kind.case, "retry");
    const waiting = await beat(host, ({ activity }) => activity === TaskActivity.BACKING_OFF);
    assert.equal(waiting.lastTransientFailure?.text, "busy");
    assert.deepEqual([waiting.recordsIn, waiting.recordsOut], [2n, 0n]);
    const later = await beat(host, ({ activityForMs }) => activityForMs > waiting.activityForMs);
    assert.ok(later.sinceProgressMs > waiting.sinceProgressMs);

    task.send({ case: "flush", value: { flushSeq: 1n, offsets: [] } });
    await beat(host, ({ activity }) => activity === TaskActivity.FLUSHING);
    gates.flush.resolve();
    await task.inbox.next("flushResult");
    await beat(host, ({ activity }) => activity === TaskActivity.BACKING_OFF);

    put.send(["a", "b"], 1);
    const putting = await beat(host, ({ activity }) => activity === TaskActivity.PUTTING);
    assert.equal(putting.lastTransientFailure?.text, "busy");
    const resumedMs = performance.now();
    gates.put.resolve();
    assert.equal((await put.result()).kind.case, "ok");
    const idle = await beat(host, ({ activity }) => activity === TaskActivity.IDLE);
    assert.equal(idle.lastTransientFailure, undefined);
    assert.deepEqual([idle.recordsIn, idle.recordsOut], [4n, 2n]);
    assert.ok(idle.sinceProgressMs <= wholeMsSince(resumedMs), `${idle.sinceProgressMs} ms`);
    await stop(task);
  });
});

test("a sink whose open or close takes long is not shown as idle", async () => {
  const gate = gateOf();
  const made = sink({ class: "S", put() {}, close: () => gate.promise });
  await withSink(made, async ({ host, task }) => {
    const partitions = [{ topic: "t", partition: 0 }];
    task.send({ case: "close", value: { partitions } });
    await beat(host, ({ activity }) => activity === TaskActivity.CLOSING);
    gate.resolve();
    await beat(host, ({ activity }) => activity === TaskActivity.IDLE);
    await stop(task);
  });
});

test("a source has overcome its failure once a poll goes well, and a checkpoint is progress", async () => {
  const gates = [gateOf(), gateOf()];
  let lives = 0;
  const made = source({
    class: "T",
    async *read({ signal }) {
      lives += 1;
      if (lives === 1) throw new RetriableError("away", { retryAfterMs: 60 });
      await gates[0]?.promise;
      yield [];
      await gates[1]?.promise;
      yield checkpoint({ p: 1 }, { n: 1 });
      await untilStopped(signal);
    },
  });
  await withSource(made, async ({ host, task }) => {
    await beat(host, ({ activity }) => activity === TaskActivity.BACKING_OFF);
    const polling = await beat(host, ({ activity }) => activity === TaskActivity.POLLING);
    assert.equal(polling.lastTransientFailure?.text, "away");
    gates[0]?.resolve();
    const well = await beat(host, ({ lastTransientFailure }) => lastTransientFailure === undefined);
    const resumedMs = performance.now();
    gates[1]?.resolve();
    await task.inbox.next("checkpoint");
    const moved = await beat(
      host,
      ({ sinceProgressMs }) => sinceProgressMs <= wholeMsSince(resumedMs),
    );
    assert.ok(well.sinceProgressMs > 1n, "less would prove nothing");
    assert.equal(moved.recordsOut, 0n);
    task.send({ case: "stop", value: { timeoutMs: 5_000n } });
    await task.inbox.next("stopped");
  });
});

test("a task that has failed is idle and has nothing to overcome", async () => {
  const made = source({
    class: "T",
    async *read() {
      yield line(1);
      throw new Error("broken");
    },
  });
  await withSource(made, async ({ host, task }) => {
    grant(task, 10);
    await task.inbox.next("failure");
    const { lastTransientFailure } = await beat(host, (one) => one.activity === TaskActivity.IDLE);
    assert.equal(lastTransientFailure, undefined);
    task.send({ case: "stop", value: { timeoutMs: 5_000n } });
    await task.inbox.next("stopped");
  });
});
