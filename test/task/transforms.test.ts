/** Transforms, retries and tolerance in tasks, with a transform that does what each record says. */
import assert from "node:assert/strict";
import { afterEach, type TestContext, test } from "node:test";
import { RecordError, RetriableError } from "../../src/base/error.ts";
import { createConverter } from "../../src/convert/converters.ts";
import type { SourceOffset } from "../../src/plugin/plugin.ts";
import type { Columns } from "../../src/record/columns.ts";
import type { ConnectRecord } from "../../src/record/connect-record.ts";
import { SinkTask } from "../../src/task/sink-task.ts";
import { SourceTask } from "../../src/task/source-task.ts";
import type { TaskParts } from "../../src/task/task.ts";
import type { Step } from "../../src/transform/step.ts";
import { fill, openLog, readAll } from "../harness/embedded-log.ts";
import { FakeSinkStream } from "../harness/fake-sink.ts";
import { FakeProducer, FakeSourceStream } from "../harness/fake-source.ts";
import { leaseOf, taskParts, taskSpec } from "../harness/task-parts.ts";
import { waitFor } from "../harness/wait-for.ts";

/** Tasks that a test left running, ended after it so that a failed test cannot hang. */
const unfinished = new Set<() => void>();
afterEach(() => {
  for (const end of unfinished) end();
  unfinished.clear();
});

const soon = { withinMs: 20_000 };

/** `drop`, `fail`, `busy` (twice, then it works) and `move` are orders; other values gain a `!`. */
class Obedient {
  tries = 0;
  busyTimes = 2;

  apply(record: ConnectRecord): boolean {
    const { value } = record.value;
    if (value === "drop") return false;
    if (value === "fail") throw new RecordError("transform.failed", "it was told to");
    if (value === "busy") {
      this.tries += 1;
      if (this.tries <= this.busyTimes) throw new RetriableError("kafka.broker_busy", "not now");
    }
    if (value === "move") Object.assign(record, { topic: "moved", partition: 7 });
    record.value = { schema: record.value.schema, value: `${value}!` };
    return true;
  }
}

/** Parts whose records are texts and go through the transform. */
function partsWith(parts: TaskParts, transform: Obedient): TaskParts {
  const step: Step = {
    ...{ alias: "o", className: "acme.Obedient", transform, predicate: null, negate: false },
    touches: ["value"],
  };
  return {
    ...parts,
    keyConverter: createConverter("String", {}, "key"),
    valueConverter: createConverter("String", {}, "value"),
    headerConverter: createConverter("Simple", {}, "header"),
    createSteps: async () => [step],
  };
}

function sourceWith(config: Record<string, string>, letters = new FakeProducer()) {
  const stream = new FakeSourceStream();
  const producer = new FakeProducer();
  const lease = leaseOf({ startSourceTask: async () => stream });
  const written: (string | null)[] = [];
  const producers = [letters, producer];
  if (config["errors.deadletterqueue.topic.name"] === undefined) producers.shift();
  const own = taskParts(lease, {
    producer: () => producers.shift() ?? assert.fail("one producer too many"),
    admin: { listTopics: async () => ["letters"] } as never,
  });
  const transform = new Obedient();
  const parts = {
    ...partsWith(own, transform),
    offsets: {
      read: async () => [],
      write: async (_connector: string, offsets: readonly SourceOffset[]) => {
        written.push(...offsets.map((one) => one.offset));
      },
    },
  };
  const spec = { ...taskSpec("source"), connectorConfig: config };
  const task = new SourceTask(spec, parts, "STARTED", () => {});
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
  return { stream, producer, transform, letters, task, running, stop, written };
}

function acked(stream: FakeSourceStream): string[] {
  return stream.calls.filter((call) => call.startsWith("acked"));
}

const tolerant = { "errors.tolerance": "all" };

test("a source's records go through its transforms, and each has its outcome (I7)", async () => {
  const source = sourceWith(tolerant);
  source.stream.records(["a", "drop", "fail", "b", "fail"], 0);
  await waitFor(() => acked(source.stream).length === 1, { ...soon, what: "the outcomes" });
  await source.stop();
  assert.deepEqual(source.producer.values, ["a!", "b!"]);
  assert.deepEqual(acked(source.stream), [
    "acked 1 (1 stored,1 filtered,1 failed,1 stored,1 failed)",
  ]);
  // As in Connect a record that is left out moves no offset by itself.
  assert.deepEqual(source.written, ['{"n":4}']);
  const { meter } = source.task;
  assert.equal(meter.sourceRecordPollTotal, 5);
  assert.equal(
    meter.sourceRecordWriteTotal + meter.recordsFilteredTotal + meter.totalRecordsSkipped,
    5,
  );
});

test("a source whose records are all left out commits nothing and tells the plugin", async () => {
  const source = sourceWith(tolerant);
  source.stream.records(["drop", "fail"], 0);
  await waitFor(() => acked(source.stream).length === 1, { ...soon, what: "the outcomes" });
  await source.stop();
  assert.deepEqual(source.written, []);
});

test("without tolerance the task fails and says which record, which step, why and what to do", async () => {
  const source = sourceWith({});
  source.stream.records(["a", "fail", "b"], 0);
  await assert.rejects(source.running, (error: Error) => {
    assert.equal(error.message, "Tolerance exceeded in error handler");
    const { message, hint } = error.cause as Error & { hint: string };
    assert.equal(
      message,
      'transforming the record of source partition {"p":1} at offset {"n":2} for topic t failed in acme.Obedient',
    );
    assert.match(hint, /adapt the transform's settings/);
    return true;
  });
  assert.deepEqual(source.producer.values, ["a!"]);
  assert.deepEqual(source.written, ['{"n":1}']);
});

test("a step that may pass is tried again while there is time, and the rest waits in order", async () => {
  const source = sourceWith({ "errors.retry.timeout": "-1", "errors.retry.delay.max.ms": "1" });
  source.stream.records(["a", "busy", "b"], 0);
  await waitFor(() => source.producer.values.length === 3, { ...soon, what: "all records" });
  await source.stop();
  assert.deepEqual(source.producer.values, ["a!", "busy!", "b!"]);
  assert.equal(source.task.meter.totalRetries, 2);
  assert.equal(source.task.meter.totalRecordErrors, 0);
  assert.deepEqual(source.written, ['{"n":3}']);
});

test("I1: a record that waits to be tried again when its task ends is not committed past", async () => {
  const source = sourceWith({ "errors.retry.timeout": "-1" });
  source.transform.busyTimes = Number.POSITIVE_INFINITY;
  source.stream.records(["a", "busy", "b"], 0);
  await waitFor(() => source.transform.tries > 0, { ...soon, what: "the first try" });
  await source.stop();
  assert.deepEqual(source.producer.values, ["a!"]);
  assert.deepEqual(source.written, ['{"n":1}']);
  assert.equal(source.task.meter.totalRecordsSkipped, 0);
});

test("a record that the log refuses is left out where that is tolerated, and its offset counts", async () => {
  const source = sourceWith(tolerant);
  source.producer.automatic = false;
  source.stream.records(["a", "b"], 0);
  await waitFor(() => source.producer.values.length === 2, { ...soon, what: "both records" });
  source.producer.settle(1);
  source.producer.settle(1, new RecordError("record.too_large", "too large"));
  await waitFor(() => source.written.length > 0, { ...soon, what: "a commit" });
  await source.stop();
  assert.deepEqual(acked(source.stream), ["acked 1 (1 stored,1 failed)"]);
  assert.deepEqual(source.written, ['{"n":2}']);
  assert.equal(source.task.meter.totalRecordsSkipped, 1);
});

test("I1: a source's offsets wait for the dead letters before them, which hold what the plugin sent", async () => {
  const letters = new FakeProducer();
  letters.automatic = false;
  const source = sourceWith(
    { ...tolerant, "errors.deadletterqueue.topic.name": "letters" },
    letters,
  );
  source.stream.records(["fail", "a"], 0);
  await waitFor(() => acked(source.stream).length === 1, { ...soon, what: "the outcomes" });
  await waitFor(() => source.task.meter.offsetCommitSkipTotal > 0, { ...soon, what: "a commit" });
  assert.deepEqual(letters.values, ["fail"]);
  assert.deepEqual(source.written, []);
  letters.settle(1);
  await waitFor(() => source.written.length > 0, { ...soon, what: "the offsets" });
  await source.stop();
  assert.deepEqual(source.written, ['{"n":2}']);
});

/** Keeps the columns of its puts. */
class WatchedSink extends FakeSinkStream {
  readonly puts: { readonly values: string[]; readonly columns: Columns }[] = [];

  override put(columns: Columns, epoch: number) {
    const values: string[] = [];
    let at = 0;
    columns.valueSizes.forEach((size, index) => {
      at += Math.max(0, (columns.keySizes[index] ?? 0) - 1);
      values.push(Buffer.from(columns.arena).toString("utf8", at, at + size - 1));
      at += size - 1;
    });
    const copy = {
      originalTopics: columns.originalTopics.slice(),
      originalPartitions: columns.originalPartitions.slice(),
    };
    this.puts.push({ values, columns: { ...columns, ...copy } });
    return super.put(columns, epoch);
  }

  get values(): string[] {
    return this.puts.flatMap(({ values }) => values);
  }
}

async function sinkWith(t: TestContext, values: string[], config: Record<string, string>) {
  const kafka = await openLog(t);
  await fill(kafka, "t", values);
  const stream = new WatchedSink({});
  const lease = leaseOf({ startSinkTask: async () => stream }, (reason) => stream.die(reason));
  const transform = new Obedient();
  const parts = partsWith(taskParts(lease, kafka), transform);
  const limits = { offsetFlushTimeoutMs: 500, stopMsMax: 5_000 };
  const spec = { ...taskSpec("sink", limits), connectorConfig: { topics: "t", ...config } };
  const task = new SinkTask(spec, parts, "STARTED", () => {});
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
  const committed = async () =>
    (await kafka.admin.groupOffsets("connect-c")).find((one) => one.topic === "t")?.offset ?? 0;
  return { kafka, stream, transform, task, running, stop, committed };
}

test("a sink's records go through its transforms, and what is left out is committed past (I7)", async (t) => {
  const sink = await sinkWith(t, ["a", "drop", "fail", "b", "drop"], tolerant);
  await waitFor(async () => (await sink.committed()) === 5, {
    ...soon,
    what: "all to be committed",
  });
  await sink.stop();
  assert.deepEqual(sink.stream.values, ["a!", "b!"]);
  const { meter } = sink.task;
  assert.equal(meter.sinkRecordReadTotal, 5);
  assert.equal(
    meter.sinkRecordSendTotal + meter.recordsFilteredTotal + meter.totalRecordsSkipped,
    5,
  );
});

test("a sink whose records are all dropped commits past them without a put", async (t) => {
  const sink = await sinkWith(t, ["drop", "drop"], {});
  await waitFor(async () => (await sink.committed()) === 2, {
    ...soon,
    what: "all to be committed",
  });
  await sink.stop();
  assert.deepEqual(sink.stream.puts, []);
});

test("a plugin hears where a record was read when a transform has given it another place", async (t) => {
  const sink = await sinkWith(t, ["a", "move"], {});
  await waitFor(() => sink.stream.values.length === 2, { ...soon, what: "both records" });
  await sink.stop();
  const [put] = sink.stream.puts;
  assert.deepEqual(put?.values, ["a!", "move!"]);
  assert.deepEqual([...(put?.columns.topics ?? [])], [1, 2]);
  assert.deepEqual([...(put?.columns.partitions ?? [])], [1, 8]);
  assert.deepEqual([...(put?.columns.originalTopics ?? [])], [1]);
  assert.deepEqual([...(put?.columns.originalPartitions ?? [])], [1]);
});

test("I2: a sink's record that waits to be tried again when its task ends is not committed past", async (t) => {
  const sink = await sinkWith(t, ["a", "busy", "b"], { "errors.retry.timeout": "-1" });
  sink.transform.busyTimes = Number.POSITIVE_INFINITY;
  await waitFor(() => sink.transform.tries > 0, { ...soon, what: "the first try" });
  await sink.stop();
  assert.ok((await sink.committed()) <= 1);
  assert.equal(sink.task.meter.totalRecordsSkipped, 0);
});

test("a sink tries again while there is time, and its dead letters hold the record as it was", async (t) => {
  const sink = await sinkWith(t, ["busy", "fail", "b"], {
    ...tolerant,
    "errors.retry.timeout": "-1",
    "errors.retry.delay.max.ms": "1",
    "errors.deadletterqueue.topic.name": "letters",
    "errors.deadletterqueue.topic.replication.factor": "1",
  });
  await waitFor(async () => (await sink.committed()) === 3, {
    ...soon,
    what: "all to be committed",
  });
  await sink.stop();
  assert.deepEqual(sink.stream.values, ["busy!", "b!"]);
  assert.equal(sink.task.meter.totalRetries, 2);
  const letters = await readAll(sink.kafka, "letters");
  assert.deepEqual(
    letters.map(({ value }) => value),
    ["fail"],
  );
});
