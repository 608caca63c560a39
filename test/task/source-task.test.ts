import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { deferred } from "../../src/base/deferred.ts";
import { TaskError } from "../../src/base/error.ts";
import type { SourceOffset } from "../../src/plugin/plugin.ts";
import { SourceTask } from "../../src/task/source-task.ts";
import { transient } from "../harness/fake-sink.ts";
import { FakeProducer, FakeSourceStream } from "../harness/fake-source.ts";
import { leaseOf, taskParts, taskSpec } from "../harness/task-parts.ts";
import { waitFor } from "../harness/wait-for.ts";

/** Tasks that a test left running, ended after it so that a failed test cannot hang. */
const unfinished = new Set<() => void>();
afterEach(() => {
  for (const end of unfinished) end();
  unfinished.clear();
});

function sourceOf({ automatic = true, writeFails = (): boolean => false } = {}) {
  const stream = new FakeSourceStream();
  const producer = new FakeProducer();
  producer.automatic = automatic;
  const condemned = new AbortController();
  const lease = leaseOf({ startSourceTask: async () => stream }, undefined, condemned.signal);
  const written: (string | null)[] = [];
  const parts = {
    ...taskParts(lease, { producer: () => producer }),
    offsets: {
      read: async () => [],
      write: async (_connector: string, offsets: readonly SourceOffset[]) => {
        if (writeFails()) throw new Error("disk full");
        written.push(...offsets.map((one) => one.offset));
      },
    },
  };
  const states: string[] = [];
  const task = new SourceTask(taskSpec("source"), parts, "STARTED", (state) => states.push(state));
  const stopping = new AbortController();
  const running = task.run(stopping.signal);
  running.catch(() => {});
  unfinished.add(() => {
    stopping.abort();
    stream.die("the test is over");
  });
  const stop = () => {
    stopping.abort();
    return running;
  };
  const said = (call: string) =>
    waitFor(() => stream.calls.some((one) => one.startsWith(call)), {
      withinMs: 20_000,
      what: `"${call}" to be said`,
    });
  const condemn = () => condemned.abort(new TaskError("plugin.condemned", "task b-0 did not stop"));
  return { stream, producer, task, states, running, stop, lease, written, said, condemn };
}

test("records are stored, acknowledged, then committed, and the plugin drains before it stops", async () => {
  const source = sourceOf();
  source.stream.records(["a", "b"], 0);
  await source.said("committed");
  await source.stop();
  assert.deepEqual(source.producer.values, ["a", "b"]);
  const told = source.stream.calls.filter((call) => !call.startsWith("credit"));
  assert.deepEqual(told, ["resume", "acked 1 (2 stored)", 'committed {"n":2}', "drain", "stop"]);
  assert.deepEqual(source.written, ['{"n":2}']);
  assert.equal(source.task.meter.sourceRecordWriteTotal, 2);
});

test("credit comes back as soon as the producer has the records, without waiting for outcomes", async () => {
  const source = sourceOf({ automatic: false });
  source.stream.records(["a", "b"], 0);
  await source.said("credit 2 ");
  assert.equal(
    source.stream.calls.some((call) => call.startsWith("acked")),
    false,
  );
  source.producer.settle(2);
  await source.said("acked 1");
  await source.stop();
});

test("I5: while the producer's buffer is full nothing more is taken, and no credit is given", async () => {
  const source = sourceOf();
  const room = deferred();
  let asks = 0;
  source.producer.room = () => {
    asks += 1;
    return room.promise;
  };
  source.stream.records(["a", "b"], 0);
  await waitFor(() => asks > 0, { withinMs: 20_000, what: "the task to ask for room" });
  assert.deepEqual(source.producer.values, []);
  assert.equal(source.stream.calls.filter((call) => call.startsWith("credit")).length, 1);
  room.resolve();
  await source.said("acked 1");
  await source.stop();
});

test("I5: many checkpoints behind a record without an outcome hold the task's reading back", async () => {
  const source = sourceOf({ automatic: false });
  const stored = deferred();
  let flushes = 0;
  source.producer.flush = () => {
    flushes += 1;
    return stored.promise.then(() => source.producer.settle(1));
  };
  source.stream.records(["a"], 0);
  for (let one = 0; one <= 1_000; one += 1) {
    source.stream.push({ at: "checkpoint", partition: `{"p":${one + 2}}`, offset: `{"n":${one}}` });
  }
  source.stream.records(["b"], 1);
  await waitFor(() => flushes > 0, { withinMs: 20_000, what: "the task to wait for the log" });
  assert.deepEqual(source.producer.values, ["a"]);
  stored.resolve();
  await waitFor(() => source.producer.values.length === 2, { withinMs: 20_000 });
  await waitFor(() => source.written.length > 1_000, { withinMs: 20_000 });
  source.producer.settle(1);
  await source.stop();
});

test("I1: a record that fails fails the task, and only what stands before it is committed", async () => {
  const source = sourceOf({ automatic: false });
  source.stream.records(["a", "b", "c"], 0);
  await source.said("credit 3 ");
  source.producer.settle(1);
  source.producer.settle(1, new Error("too large"));
  await assert.rejects(source.running, (error: Error) => {
    assert.equal(error.message, "Unrecoverable exception from producer send callback");
    assert.match((error.cause as Error).message, /too large/);
    return true;
  });
  assert.deepEqual(source.written, ['{"n":1}']);
  assert.equal(source.stream.calls.at(-1), "stop");
});

test("what a plugin had sent whole before it died is stored and committed", async () => {
  const source = sourceOf();
  source.stream.records(["a"], 0);
  source.stream.records(["b"], 1);
  source.stream.die("plugin process 7 (file) was killed by SIGKILL");
  await assert.rejects(source.running, /was killed by SIGKILL/);
  assert.deepEqual(source.producer.values, ["a", "b"]);
  assert.equal(source.written.at(-1), '{"n":2}');
  assert.equal(source.stream.calls.includes("stop"), false);
});

test("a failure that the plugin reports is the task's, with the plugin's own stack", async () => {
  const source = sourceOf();
  source.stream.push({
    at: "failed",
    failure: {
      ...transient,
      class: "fatal",
      text: "no such table",
      stack: "Oops: no such table\n at x",
    },
  });
  await assert.rejects(source.running, (error: Error & { trace?: string }) => {
    assert.match(error.message, /no such table/);
    assert.equal(error.trace, "Oops: no such table\n at x");
    return true;
  });
});

test("a commit that fails is tried again with the same offsets", async () => {
  let tries = 0;
  const source = sourceOf({ writeFails: () => ++tries <= 2 });
  source.stream.records(["a"], 0);
  await source.said("committed");
  await source.stop();
  assert.deepEqual(source.written, ['{"n":1}']);
  assert.ok(source.task.meter.offsetCommitSkipTotal >= 2);
});

test("pause and resume reach the plugin and the status", async () => {
  const source = sourceOf();
  await source.said("resume");
  source.task.setTarget("PAUSED");
  await source.said("pause");
  source.task.setTarget("STARTED");
  await waitFor(() => source.states.length === 3, { withinMs: 20_000 });
  assert.deepEqual(source.states, ["RUNNING", "PAUSED", "RUNNING"]);
  await source.stop();
});

test("a task that does not drain by the deadline fails, and is still told to stop", async () => {
  const source = sourceOf();
  await source.said("resume");
  source.stream.drain = () => {};
  await assert.rejects(source.stop(), /did not drain within 1000 ms/);
  assert.equal(source.stream.calls.at(-1), "stop");
});

test("in a condemned process it drains, commits, stops, and asks to start again", async () => {
  const source = sourceOf({ automatic: false });
  source.stream.records(["a", "b"], 0);
  await source.said("credit 2 ");
  source.condemn();
  await source.said("drain");
  source.producer.settle(2);
  await assert.rejects(source.running, { code: "plugin.condemned" });
  assert.deepEqual(source.written, ['{"n":2}']);
  assert.deepEqual(source.stream.calls.slice(-1), ["stop"]);
  assert.deepEqual(source.lease.condemnedFor, []);
});

test("a condemned process that is killed before the task has drained does not fail it", async () => {
  const source = sourceOf();
  await source.said("resume");
  source.condemn();
  source.stream.die("plugin process 1 (p) was killed by the host: task b-0 did not stop");
  await assert.rejects(source.running, { code: "plugin.condemned" });
});

test("a task that is stopped in a condemned process has stopped", async () => {
  const source = sourceOf();
  await source.said("resume");
  source.condemn();
  await source.stop();
});
