/** The embedded log through the port: what is its own; what every log promises is in test/port. */
import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { openEmbedded } from "../../src/embedded/embedded.ts";
import type { GroupMemberOptions } from "../../src/kafka/kafka.ts";
import { newRecordSlice } from "../../src/record/record-slice.ts";
import {
  fill,
  openLog,
  produce,
  readAll,
  recordsOf,
  temporaryFolder,
} from "../harness/embedded-log.ts";

const numbers = (count: number) => Array.from({ length: count }, (_, n) => String(n));

test("records come back in order with keys, values and nulls, also after a restart", async (t) => {
  const directory = await temporaryFolder(t);
  const first = await openEmbedded({ directory });
  await fill(first, "plain", [["a", "1"], ["b", null], "3"]);
  const { clusterId } = first;
  await first.close();
  const second = await openLog(t, { directory });
  const records = await readAll(second, "plain");
  assert.deepEqual(
    records.map(({ offset, key, value }) => [offset, key, value]),
    [
      [0, "a", "1"],
      [1, "b", null],
      [2, null, "3"],
    ],
  );
  assert.equal(second.clusterId, clusterId);
  assert.match(clusterId, /^[\w-]{22}$/);
});

test("a producer with a compression that there is none of is refused in Kafka's words", async (t) => {
  const kafka = await openLog(t);
  const config = { "compression.type": "brotli" };
  assert.throws(() => kafka.producer({ clientId: "p", config }), {
    name: "ConfigError",
    message: /^Invalid value brotli for configuration compression.type: /,
  });
});

test("the receipts of two messages in one batch are told apart", async (t) => {
  const kafka = await openLog(t);
  const producer = kafka.producer({ clientId: "p" });
  const told: unknown[] = [];
  const receipt = (name: string) => ({
    stored: (indexes: readonly number[], from: number, to: number, at: { baseOffset: number }) =>
      told.push([name, indexes.slice(from, to), at.baseOffset]),
    failed: () => told.push("failed"),
  });
  const record = { ...newRecordSlice(), topic: "joint" };
  const [a, b] = [receipt("a"), receipt("b")];
  producer.send(record, a, 10);
  producer.send(record, a, 11);
  producer.send(record, b, 0);
  producer.send(record, a, 12);
  await producer.flush();
  assert.deepEqual(told, [
    ["a", [10, 11], 0],
    ["b", [0], 2],
    ["a", [12], 3],
  ]);
});

test("a reader of a missing topic reads it once it is there, and again after it was deleted", async (t) => {
  const kafka = await openLog(t);
  const reader = kafka.partitionReader({ clientId: "r" });
  reader.assign([{ topic: "later", partition: 0, offset: 0 }]);
  for (const value of ["one", "two"]) {
    const polled = reader.poll(60_000);
    await fill(kafka, "later", [value]);
    assert.deepEqual(
      recordsOf(await polled).map((record) => record.value),
      [value],
    );
    await kafka.admin.deleteTopic("later");
    reader.seek({ topic: "later", partition: 0 }, 0);
  }
  assert.deepEqual(await kafka.admin.listTopics(), []);
});

test("reading from the middle gives the records from there on, across segments", async (t) => {
  const directory = await temporaryFolder(t);
  const options = { directory, segmentBytes: 400 };
  const kafka = await openEmbedded(options);
  const producer = kafka.producer({ clientId: "p", config: { "batch.size": "150" } });
  await produce(
    producer,
    numbers(200).map((value) => ({ topic: "cut", value })),
  );
  const check = async (log: typeof kafka) => {
    for (const from of [0, 1, 17, 99, 100, 101, 198, 199, 200]) {
      assert.deepEqual(
        (await readAll(log, "cut", { from })).map(({ offset }) => offset),
        numbers(200).slice(from).map(Number),
        `from ${from}`,
      );
    }
  };
  await check(kafka);
  await kafka.close();
  const segments = await readdir(join(directory, "topics", "cut", "0"));
  assert.ok(segments.length > 5, "there are several segments");
  await check(await openLog(t, options));
});

test("topics are listed, described with Kafka's settings, made once and deleted", async (t) => {
  const kafka = await openLog(t, { defaultPartitionCount: 2, retentionMs: 1_234 });
  assert.equal(await kafka.admin.createTopic(topicOf("Made", { "segment.bytes": "999" })), true);
  assert.equal(await kafka.admin.createTopic(topicOf("Made")), false);
  const described = await kafka.admin.describeTopic("Made");
  assert.equal(described?.partitionCount, 2);
  assert.equal(described?.config["segment.bytes"], "999");
  assert.equal(described?.config["retention.ms"], "1234");
  assert.equal(described?.config["cleanup.policy"], "delete");
  assert.equal(await kafka.admin.describeTopic("made"), undefined);
  await kafka.admin.createTopic({ ...topicOf("made"), partitionCount: 1 });
  assert.deepEqual(await kafka.admin.listTopics(), ["Made", "made"]);
  await kafka.admin.deleteTopic("Made");
  assert.deepEqual(await kafka.admin.listTopics(), ["made"]);
  await assert.rejects(kafka.admin.createTopic(topicOf("x", { "retention.ms": "soon" })), {
    code: "kafka.topic_invalid",
    message: /retention.ms soon is not a whole number/,
  });
});

test("transactions are refused with what to do instead", async (t) => {
  const kafka = await openLog(t);
  const options = { clientId: "p", transactionalId: "t", transactionTimeoutMs: 1_000 };
  await assert.rejects(kafka.transactionalProducer(options), {
    name: "TaskError",
    code: "kafka.transactions_unsupported",
    message: /the embedded log has none/,
  });
});

test("groups of workers are refused with what to do instead", async (t) => {
  const kafka = await openLog(t);
  assert.throws(() => kafka.groupMember({} as GroupMemberOptions), {
    name: "TaskError",
    code: "kafka.groups_unsupported",
    hint: /Apache Kafka cluster in bootstrap.servers/,
  });
});

test("a folder that cannot be used is refused with its name", async (t) => {
  const directory = await temporaryFolder(t);
  await writeFile(join(directory, "file"), "");
  const inFile = join(directory, "file", "log");
  await assert.rejects(openEmbedded({ directory: inFile }), {
    name: "ConfigError",
    code: "embedded.folder_unusable",
    message: new RegExp(`cannot use ${inFile}`),
  });
  await writeFile(join(directory, "meta.json"), "{}");
  await assert.rejects(openEmbedded({ directory }), { code: "embedded.folder_unusable" });
  assert.deepEqual((await readdir(directory)).sort(), ["file", "meta.json", "topics"]);
});

test("a folder without the right to write is refused", async (t) => {
  if (process.getuid?.() === 0) return t.skip("the superuser may write anywhere");
  const directory = join(await temporaryFolder(t), "closed");
  await mkdir(directory);
  await chmod(directory, 0o500);
  await assert.rejects(openEmbedded({ directory }), {
    code: "embedded.folder_unusable",
    message: /permission denied/,
  });
});

test("a topic whose making was cut short is not there", async (t) => {
  const directory = await temporaryFolder(t);
  await mkdir(join(directory, "topics", "half", "0"), { recursive: true });
  const kafka = await openLog(t, { directory });
  assert.deepEqual(await kafka.admin.listTopics(), []);
  await fill(kafka, "half", ["whole"]);
  assert.match(await readFile(join(directory, "topics", "half", "topic.json"), "utf8"), /"half"/);
});

test("after it was closed the log says so", async (t) => {
  const kafka = await openLog(t);
  const producer = kafka.producer({ clientId: "p" });
  const reader = kafka.partitionReader({ clientId: "r" });
  const polled = reader.poll(60_000);
  await kafka.close();
  assert.deepEqual(await polled, []);
  await assert.rejects(produce(producer, [{ topic: "t", value: "x" }]), {
    code: "kafka.producer_closed",
  });
  assert.throws(() => kafka.producer({ clientId: "p" }), { code: "embedded.closed" });
});

function topicOf(name: string, config: Record<string, string> = {}) {
  return { name, partitionCount: -1, replicationFactor: -1, config };
}
