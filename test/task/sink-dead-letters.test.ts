/** Records that a sink's plugin gives up, over a real log: their dead letters, and what is committed. */
import assert from "node:assert/strict";
import { afterEach, type TestContext, test } from "node:test";
import type { PartitionOffset } from "../../src/kafka/kafka.ts";
import type { TaskStart } from "../../src/plugin/plugin.ts";
import { SinkTask } from "../../src/task/sink-task.ts";
import { fill, openLog, readAll } from "../harness/embedded-log.ts";
import { FakeSinkStream, type SinkScript } from "../harness/fake-sink.ts";
import { FakeProducer } from "../harness/fake-source.ts";
import { leaseOf, taskParts, taskSpec } from "../harness/task-parts.ts";
import { waitFor } from "../harness/wait-for.ts";

/** Tasks that a test left running, ended after it so that a failed test cannot hang. */
const unfinished = new Set<() => void>();
afterEach(() => {
  for (const end of unfinished) end();
  unfinished.clear();
});

const records = 40;
const withLetters = {
  "errors.deadletterqueue.topic.name": "letters",
  "errors.deadletterqueue.topic.replication.factor": "1",
};
const tolerant = { "errors.tolerance": "all" };

interface Given {
  readonly script: SinkScript;
  readonly config: Record<string, string>;
  /** Writes the dead letters instead of the log. */
  readonly producer?: FakeProducer;
}

async function sinkOver(t: TestContext, { script, config, producer }: Given) {
  const kafka = await openLog(t);
  const values = Array.from({ length: records }, (_, n): [string, string] => [`k${n}`, `v${n}`]);
  await fill(kafka, "t", values);
  const stream = new FakeSinkStream(script);
  const starts: TaskStart[] = [];
  const startSinkTask = async (start: TaskStart) => {
    starts.push(start);
    return stream;
  };
  const lease = leaseOf({ startSinkTask }, (reason) => stream.die(reason));
  const parts = taskParts(lease, {
    admin: kafka.admin,
    producer: (options) => producer ?? kafka.producer(options),
    partitionReader: (options) => kafka.partitionReader(options),
    sinkConsumer: (options) => kafka.sinkConsumer(options),
  });
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
  const committed = async () => {
    const offsets: readonly PartitionOffset[] = await kafka.admin.groupOffsets("connect-c");
    return offsets.find((one) => one.topic === "t")?.offset ?? 0;
  };
  const committedAll = () =>
    waitFor(async () => (await committed()) === records, {
      withinMs: 20_000,
      what: "all offsets to be committed",
    });
  const letters = async () =>
    (await readAll(kafka, "letters")).map(({ key, value }) => `${key}=${value}`);
  return { kafka, stream, starts, task, running, stop, committed, committedAll, letters };
}

for (const { name, answer } of [
  { name: "the task reports", answer: "report" as const },
  { name: "put says has failed", answer: "one failed" as const },
]) {
  test(`I2: a record that ${name} is a dead letter before its offset is committed, and the task goes on`, async (t) => {
    let puts = 0;
    const script: SinkScript = { onPut: () => (++puts === 1 ? answer : "ok") };
    const sink = await sinkOver(t, { script, config: { ...withLetters, ...tolerant } });
    await sink.committedAll();
    assert.deepEqual(await sink.letters(), ["k0=v0"]);
    if (answer === "report") assert.deepEqual(sink.stream.receipts, [undefined]);
    assert.equal(sink.task.meter.totalRecordFailures, 1);
    assert.equal(sink.task.meter.totalRecordErrors, 0);
    assert.equal(sink.task.meter.deadLetterProduceRequests, 1);
    await sink.stop();
  });

  test(`I2: a record that ${name} has its dead letter when the task fails that tolerates none`, async (t) => {
    const script: SinkScript = { onPut: () => answer };
    const sink = await sinkOver(t, { script, config: withLetters });
    await assert.rejects(sink.running, (error: Error) => {
      assert.equal(error.message, "Exiting WorkerSinkTask due to unrecoverable exception.");
      assert.equal((error.cause as Error).message, "Tolerance exceeded in error handler");
      return true;
    });
    assert.equal((await sink.letters())[0], "k0=v0");
    assert.equal(await sink.committed(), 0);
  });
}

test("I2: no offset moves while a dead letter is not stored, and it moves when it is", async (t) => {
  const producer = new FakeProducer();
  producer.automatic = false;
  const script: SinkScript = { onPut: () => "report" };
  const config = { ...withLetters, ...tolerant };
  const sink = await sinkOver(t, { script, config, producer });
  await waitFor(() => sink.task.meter.offsetCommitSkipTotal > 0 && producer.values.length > 0, {
    withinMs: 20_000,
    what: "a commit to be given up",
  });
  assert.equal(await sink.committed(), 0);
  assert.deepEqual(sink.stream.receipts, []);
  producer.automatic = true;
  producer.settle(producer.values.length);
  await sink.committedAll();
  await sink.stop();
});

test("I2: a dead letter that cannot be stored fails the task at the commit, and nothing is committed", async (t) => {
  const producer = new FakeProducer();
  producer.automatic = false;
  const script: SinkScript = { onPut: () => "report" };
  const config = { ...withLetters, ...tolerant };
  const sink = await sinkOver(t, { script, config, producer });
  await waitFor(() => producer.values.length > 0, { withinMs: 20_000, what: "a letter" });
  producer.settle(1, new Error("the topic is full"));
  await assert.rejects(sink.running, { code: "task.dead_letter_failed" });
  assert.equal(await sink.committed(), 0);
  assert.equal(sink.stream.receipts[0]?.class, "fatal");
  assert.ok(sink.task.meter.deadLetterProduceFailures >= 1);
});

test("a task whose topic for dead letters cannot be made fails before its plugin is started", async (t) => {
  const config = { ...withLetters, "errors.deadletterqueue.topic.name": "no topic" };
  const sink = await sinkOver(t, { script: {}, config });
  await assert.rejects(sink.running, {
    message: "Could not initialize dead letter queue with topic=no topic",
  });
  assert.equal(sink.starts.length, 0);
});

const reporters: readonly { config: Record<string, string>; isGiven: boolean }[] = [
  { config: {}, isGiven: false },
  { config: tolerant, isGiven: false },
  { config: { "errors.log.enable": "true" }, isGiven: true },
  { config: withLetters, isGiven: true },
];

for (const { config, isGiven } of reporters) {
  const keys = Object.keys(config).join(", ") || "nothing of errors";
  test(`a config of ${keys} gives the plugin ${isGiven ? "a" : "no"} reporter of records`, async (t) => {
    const sink = await sinkOver(t, { script: {}, config });
    await waitFor(() => sink.starts.length > 0, { withinMs: 20_000, what: "the start" });
    assert.equal(sink.starts[0]?.errantRecordReporter, isGiven);
    await sink.stop();
  });
}
