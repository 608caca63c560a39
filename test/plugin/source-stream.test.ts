/** The host's end of a source task's stream, against a plugin without an SDK. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SourceEvent, SourceStream } from "../../src/plugin/plugin.ts";
import { noSignal, rawHost, taskStart } from "../harness/raw-plugin.ts";
import { waitFor } from "../harness/wait-for.ts";

type Records = Extract<SourceEvent, { at: "records" }>;

async function records(stream: SourceStream): Promise<Records> {
  const event = await stream.next();
  assert.equal(event?.at, "records", JSON.stringify(event ?? (await stream.ended)));
  return event as Records;
}

test("records arrive in order, and credit is all the plugin may use", async (t) => {
  const { processes, manifest, log } = await rawHost(t);
  const lease = await processes.acquire({ plugin: manifest("good"), connector: "alpha" }, noSignal);
  const stream = await lease.process.startSourceTask(taskStart("source"), noSignal);
  assert.equal(stream.canonicalJson, true);
  stream.credit(4, 1_000_000);
  const [first, second] = [await records(stream), await records(stream)];
  assert.equal(Buffer.from(first.columns.arena).toString(), "line 0line 1line 2");
  assert.deepEqual([...first.columns.valueSizes], [7, 7, 7]);
  assert.equal(first.definitions.topics[first.columns.topics[0] as number], "lines");
  assert.equal(first.definitions.forms[1]?.encoding, "text");
  assert.equal(first.definitions.partitions[1], '{"file":"a"}');
  assert.equal(Buffer.from(second.columns.offsetArena).toString(), "456");
  assert.deepEqual([first.batchSeq, second.batchSeq], [1, 2]);
  assert.equal(first.pollEnd, true);
  // Four records of credit and two batches of three: overdrawn, so nothing follows until there is more.
  stream.credit(3, first.sizeBytes);
  const third = await records(stream);
  assert.equal(third.batchSeq, 3);
  stream.acked(2, [{ count: 6, outcome: "stored" }]);
  stream.committed([{ partition: '{"file":"a"}', offset: "6" }]);
  await waitFor(() => log.find('committed {"file":"a"}=6') !== undefined, { withinMs: 20_000 });
  assert.deepEqual(
    { connector: log.find("acked 2")?.["connector"], task: log.find("acked 2")?.["task"] },
    { connector: "alpha", task: 0 },
  );
  stream.drain();
  assert.deepEqual(await stream.next(), { at: "drained" });
  assert.equal(await stream.stop(5_000), undefined);
  assert.equal(await stream.next(), undefined);
});

test("mode last has one offset per source partition", async (t) => {
  const { processes, manifest } = await rawHost(t);
  const lease = await processes.acquire({ plugin: manifest("good"), connector: "alpha" }, noSignal);
  const start = taskStart("source", { behaviour: "last", batch: "10000" });
  const stream = await lease.process.startSourceTask(start, noSignal);
  stream.credit(1, 1);
  const batch = await records(stream);
  assert.equal(batch.columns.count, 10_000);
  assert.equal(batch.offsetMode, "last");
  assert.equal(Buffer.from(batch.columns.offsetArena).toString(), "10000");
});

test("a checkpoint and a failure keep their place as events", async (t) => {
  const { processes, manifest } = await rawHost(t);
  const lease = await processes.acquire({ plugin: manifest("good"), connector: "alpha" }, noSignal);
  const start = taskStart("source", { behaviour: "checkpoints" });
  const one = await lease.process.startSourceTask(start, noSignal);
  assert.deepEqual(await one.next(), { at: "checkpoint", partition: '{"file":"a"}', offset: "9" });
  const other = await lease.process.startSourceTask(
    { ...taskStart("source", { behaviour: "fails" }), task: 1 },
    noSignal,
  );
  const event = await other.next();
  assert.ok(event?.at === "failed");
  assert.equal(event.failure.text, "the source broke");
  assert.equal(event.failure.exceptionClass, "RawError");
  assert.equal(await other.stop(5_000), undefined);
});

test("I5: checkpoints of one partition that nobody takes are one", async (t) => {
  const { processes, manifest, log } = await rawHost(t);
  const lease = await processes.acquire({ plugin: manifest("good"), connector: "alpha" }, noSignal);
  const start = taskStart("source", { behaviour: "many-checkpoints" });
  const stream = await lease.process.startSourceTask(start, noSignal);
  await waitFor(() => log.find("said all") !== undefined, { withinMs: 20_000 });
  const offsets: string[] = [];
  for (;;) {
    const event = await stream.next();
    assert.equal(event?.at, "checkpoint");
    if (event.partition === "2") break;
    offsets.push(event.offset ?? "");
  }
  assert.match(offsets.at(-1) ?? "", /x999"$/);
  // A few may come while the first is taken.
  assert.ok(offsets.length < 100, `${offsets.length} of 1000 were kept`);
});

test("I5: checkpoints of many partitions that nobody takes end the task at 32 MiB", async (t) => {
  const { processes, manifest } = await rawHost(t);
  const lease = await processes.acquire({ plugin: manifest("good"), connector: "alpha" }, noSignal);
  const start = taskStart("source", { behaviour: "many-checkpoints-of-many" });
  const stream = await lease.process.startSourceTask(start, noSignal);
  assert.match(await stream.ended, /sent 33554432 bytes of messages ahead of the host/);
});

for (const { behaviour, expect } of [
  { behaviour: "greedy", expect: /without credit/ },
  { behaviour: "wrong-sizes", expect: /the sizes add up to 18, the arena has 17/ },
  { behaviour: "checkpoint-no-json", expect: /a Checkpoint has a text that is not JSON: a$/ },
  { behaviour: "undefined-form", expect: /column value_forms has the id 5, which is not defined/ },
]) {
  test(`I5: a task that is ${behaviour} breaks the contract; its neighbour and the session go on`, async (t) => {
    const { processes, manifest, log } = await rawHost(t);
    const use = { plugin: manifest("good"), connector: "alpha" };
    const lease = await processes.acquire(use, noSignal);
    const bad = await lease.process.startSourceTask(taskStart("source", { behaviour }), noSignal);
    const good = await lease.process.startSourceTask({ ...taskStart("source"), task: 1 }, noSignal);
    if (behaviour !== "greedy") bad.credit(1, 1);
    assert.equal(await bad.next(), undefined);
    assert.match(await bad.ended, expect);
    await assert.rejects(bad.stop(1_000), { code: "plugin.gone", message: expect });
    await waitFor(() => log.find("task stream: 3 INVALID_ARGUMENT") !== undefined, {
      withinMs: 20_000,
      what: "the plugin to be told",
    });
    good.credit(1, 1);
    await records(good);
    assert.equal(await good.stop(5_000), undefined);
  });
}

test("a wrong ticket and a used one end their own stream only", async (t) => {
  const { processes, manifest, log } = await rawHost(t);
  const lease = await processes.acquire({ plugin: manifest("good"), connector: "alpha" }, noSignal);
  const start = taskStart("source", { behaviour: "knocks" });
  const stream = await lease.process.startSourceTask(start, noSignal);
  stream.credit(1, 1);
  await records(stream);
  await waitFor(() => log.find("refused with 7 and 7") !== undefined, { withinMs: 20_000 });
});

test("a failing start rejects with the plugin's words, and the task is stopped", async (t) => {
  const { processes, manifest } = await rawHost(t);
  const lease = await processes.acquire({ plugin: manifest("good"), connector: "alpha" }, noSignal);
  const start = taskStart("source", { behaviour: "start-fails" });
  await assert.rejects(lease.process.startSourceTask(start, noSignal), {
    message: "no start",
    trace: /RawError: no start/,
  });
  await lease.process.startConnector("alpha", "raw.Source", {});
});

test("a start that fails and ends its stream at once leaves its process to the others", async (t) => {
  const { processes, manifest } = await rawHost(t);
  const lease = await processes.acquire({ plugin: manifest("good"), connector: "alpha" }, noSignal);
  const neighbour = await lease.process.startSourceTask(taskStart("source"), noSignal);
  const start = { ...taskStart("source", { behaviour: "start-fails-ends" }), task: 1 };
  await assert.rejects(lease.process.startSourceTask(start, noSignal), { message: "no start" });
  neighbour.credit(1, 1);
  await records(neighbour);
  await lease.process.startConnector("alpha", "raw.Source", {});
});

test("a start that hangs is given up at its deadline, and the process with it", async (t) => {
  const { processes, manifest } = await rawHost(t, { shutdownMsMax: 300 });
  const lease = await processes.acquire({ plugin: manifest("good"), connector: "alpha" }, noSignal);
  const start = taskStart("source", { behaviour: "start-hangs" }, 500);
  await assert.rejects(lease.process.startSourceTask(start, noSignal), {
    code: "plugin.request_timeout",
    message: "task alpha-0 did not start within 500 ms",
  });
  assert.match((await lease.process.exited).text, /neither started nor stopped in time/);
});

test("a start that is aborted rejects with the signal's reason", async (t) => {
  const { processes, manifest } = await rawHost(t, { shutdownMsMax: 300 });
  const lease = await processes.acquire({ plugin: manifest("good"), connector: "alpha" }, noSignal);
  const stop = new AbortController();
  const starting = lease.process.startSourceTask(
    taskStart("source", { behaviour: "start-hangs" }),
    stop.signal,
  );
  stop.abort(new Error("stopped by a user"));
  await assert.rejects(starting, /stopped by a user/);
});

test("a task that does not stop by its deadline says so; condemning ends its neighbours' streams", async (t) => {
  const { processes, manifest } = await rawHost(t);
  const lease = await processes.acquire({ plugin: manifest("good"), connector: "alpha" }, noSignal);
  const start = taskStart("source", { behaviour: "never-stops" });
  const stuck = await lease.process.startSourceTask(start, noSignal);
  const neighbour = await lease.process.startSourceTask(
    { ...taskStart("source"), task: 1 },
    noSignal,
  );
  await assert.rejects(stuck.stop(300), {
    code: "plugin.request_timeout",
    message: "task alpha-0 did not stop within 300 ms",
  });
  await lease.condemn("task alpha-0 did not stop");
  assert.equal(await neighbour.next(), undefined);
  assert.match(await neighbour.ended, /was killed by the host: task alpha-0 did not stop/);
});
