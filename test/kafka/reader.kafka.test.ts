/** Partitions of a real cluster, read through the port. */
import assert from "node:assert/strict";
import { after, before, describe, type TestContext, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { BatchBuilder } from "../../src/batch/encode.ts";
import { createKafkaAdmin } from "../../src/kafka/admin.ts";
import type { Transport } from "../../src/kafka/calls.ts";
import type { Fetched, PartitionReader, PartitionReaderOptions } from "../../src/kafka/kafka.ts";
import { fetch } from "../../src/kafka/protocol/fetch.ts";
import { listOffsets, offsetOf } from "../../src/kafka/protocol/list-offsets.ts";
import { produce } from "../../src/kafka/protocol/produce.ts";
import { lookUpOffsets } from "../../src/kafka/reader/offset-lookup.ts";
import { KafkaPartitionReader } from "../../src/kafka/reader/partition-reader.ts";
import { createTransport } from "../../src/kafka/transport.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { newRecordSlice } from "../../src/record/record-slice.ts";
import { recordsOf } from "../harness/embedded-log.ts";
import { sharedKafka, uniqueName } from "../harness/kafka/broker.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { RecordWriter } from "../harness/kafka/record-writer.ts";

const { missing } = await kafkaJars();

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

describe("reading from a cluster", { skip: missing ?? false }, () => {
  let bootstrap: string;
  let transport: Transport;
  let writer: RecordWriter;

  before(async () => {
    ({ bootstrap } = await sharedKafka());
    const logger = silentLogger();
    const options = { bootstrapServers: [bootstrap], config: {}, clientId: "test", logger };
    transport = await createTransport(options);
    writer = await RecordWriter.start(bootstrap);
  });
  after(async () => {
    await writer?.close();
    await transport?.close();
  });

  async function topicOf(partitionCount = 1, config: Record<string, string> = {}): Promise<string> {
    const name = uniqueName("read");
    const admin = createKafkaAdmin({ transport, logger: silentLogger() });
    await admin.createTopic({ name, partitionCount, replicationFactor: -1, config });
    return name;
  }

  function reader(t: TestContext, options: Partial<PartitionReaderOptions> = {}): PartitionReader {
    const made = new KafkaPartitionReader(
      { clientId: "reader", ...options },
      { transport, logger: silentLogger() },
    );
    t.after(() => made.close());
    return made;
  }

  /** One batch of values of our own, at the end of a partition. */
  async function write(topic: string, values: readonly string[], partition = 0): Promise<void> {
    await transport.map.refresh([topic]);
    const builder = new BatchBuilder();
    const record = newRecordSlice();
    for (const value of values) {
      const bytes = Buffer.from(value);
      Object.assign(record.value, { bytes, start: 0, end: bytes.length });
      builder.append(record, Date.now());
    }
    const node = transport.map.topic(topic)?.leaders[partition] ?? -1;
    const connections = transport.connections({ clientId: "write" });
    const batch = builder.finish(0);
    const response = await connections.call({ at: "node", node }, produce, {
      transactionalId: null,
      acks: -1,
      timeoutMs: 10_000,
      topics: [{ topic, partitions: [{ partition, batch }] }],
    });
    await connections.close();
    assert.equal(response.topics[0]?.partitions[0]?.errorCode, 0);
  }

  test("what was aborted is left out, also where transactions overlap, from any offset on", async (t) => {
    const topic = await topicOf();
    const [a, b, c] = ["a", "b", "c"].map((each) => uniqueName(each));
    const open = `${uniqueName("d")}-open`;
    await writer.write([
      ...[`begin ${a}`, `begin ${b}`, `begin ${c}`],
      ...[`send ${a} ${topic} A1`, `send ${b} ${topic} B1`, `send ${c} ${topic} C1`],
      ...[`send ${a} ${topic} A2`, `abort ${b}`, `send ${c} ${topic} C2`],
      ...[`abort ${a}`, `commit ${c}`],
      ...[`begin ${a}`, `send ${a} ${topic} A3`, `commit ${a}`],
      ...[`begin ${b}`, `send ${b} ${topic} B2`, `write none ${topic} plain`, "flush"],
      ...[`abort ${b}`, `begin ${open}`, `send ${open} ${topic} O1`],
      ...[`write none ${topic} behind`, "flush"],
    ]);
    const all = await readUntil(reader(t), topic, 0, "behind0");
    const aborted = ["A1", "B1", "A2", "B2"];
    const committed = all.filter(({ value }) => ["C1", "C2", "A3", "plain0"].includes(value ?? ""));
    assert.equal(all.length, 10);
    assert.deepEqual(all.filter(({ value }) => aborted.includes(value ?? "")).length, 4);
    for (const from of all.map(({ offset }) => offset)) {
      const expected = committed.filter(({ offset }) => offset >= from);
      const last = expected.at(-1)?.value;
      if (last === undefined || last === null) continue;
      const read = await readUntil(reader(t, { readCommitted: true }), topic, from, last);
      assert.deepEqual(read, expected, `from offset ${from}`);
    }
    const connections = transport.connections({ clientId: "ends" });
    t.after(() => connections.close());
    const ask = (readCommitted: boolean, timestampMs: number) =>
      lookUpOffsets([{ topic, partition: 0, timestampMs }], {
        map: transport.map,
        connections,
        readCommitted,
      });
    const openAt = all.find(({ value }) => value === "O1")?.offset;
    assert.deepEqual(await ask(true, offsetOf.latest), [openAt]);
    assert.deepEqual(await ask(false, offsetOf.latest), [all.at(-1)!.offset + 1]);
    assert.deepEqual(await ask(false, offsetOf.earliest), [0]);
    assert.deepEqual(await ask(false, 1_000), [0]);
    assert.deepEqual(await ask(false, Date.now() + 3_600_000), [-1]);
  });

  test("batches that Java's client compressed are read, whichever codec", async (t) => {
    const codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
    const topic = await topicOf();
    const steps = codecs.map((codec) => `write ${codec} ${topic} ${codec}- 2000`);
    await writer.write(steps.flatMap((step) => [step, "flush"]));
    const read = await readUntil(reader(t), topic, 0, "zstd-1999");
    const expected = codecs.flatMap((codec) =>
      Array.from({ length: 2000 }, (_, n) => `${codec}-${n}`),
    );
    assert.deepEqual(
      read.map(({ value }) => value),
      expected,
    );
    const inside = await readUntil(reader(t), topic, 5_555, "zstd-1999");
    assert.deepEqual([inside.length, inside[0]?.value], [4_445, "snappy-1555"]);
  });

  test("a broker understands every version of the requests that we say we speak", async (t) => {
    const topic = await topicOf();
    await write(topic, ["here"]);
    const connections = transport.connections({ clientId: "versions" });
    t.after(() => connections.close());
    const to = { at: "node", node: transport.map.topic(topic)!.leaders[0]! } as const;
    const place = { topic, partition: 0, leaderEpoch: -1 };
    for (const version of versionsOf(fetch)) {
      const api = { ...fetch, versions: { min: version, max: version } };
      const { partitions } = await connections.call(to, api, {
        maxWaitMs: 5_000,
        minBytes: 1,
        maxBytes: 1_000,
        readCommitted: true,
        partitions: [{ ...place, offset: 0, maxBytes: 1_000 }],
      });
      const [{ errorCode, highWatermark, records } = assert.fail()] = partitions;
      assert.deepEqual([errorCode, highWatermark, records.length], [0, 1, 72], `v${version}`);
    }
    for (const version of versionsOf(listOffsets)) {
      const api = { ...listOffsets, versions: { min: version, max: version } };
      const asked = { ...place, timestampMs: offsetOf.latest };
      const request = { readCommitted: false, partitions: [asked] };
      const { partitions } = await connections.call(to, api, request);
      assert.deepEqual([partitions[0]?.errorCode, partitions[0]?.offset], [0, 1], `v${version}`);
    }
  });

  test("a poll that waits is woken by the record", async (t) => {
    const topic = await topicOf();
    const made = reader(t, { config: { "fetch.max.wait.ms": "20000" } });
    made.assign([{ topic, partition: 0, offset: 0 }]);
    assert.deepEqual(await made.poll(300), []);
    const polled = made.poll(30_000);
    const startMs = performance.now();
    await write(topic, ["up"]);
    assert.deepEqual(
      recordsOf(await polled).map(({ value }) => value),
      ["up"],
    );
    assert.ok(performance.now() - startMs < 15_000);
  });

  test("I5: whoever reads slowly makes nothing pile up here", async (t) => {
    const topic = await topicOf(4);
    const value = "x".repeat(500_000);
    for (let n = 0; n < 48; n += 1) await write(topic, [value], n % 4);
    const config = { "fetch.max.bytes": "1000000", "max.partition.fetch.bytes": "500000" };
    const made = reader(t, { config });
    collectGarbage();
    const heldBefore = process.memoryUsage().arrayBuffers;
    made.assign([0, 1, 2, 3].map((partition) => ({ topic, partition, offset: 0 })));
    let count = 0;
    let heldMax = 0;
    while (count < 48) {
      const fetched = await made.poll(10_000);
      assert.ok(fetched.length > 0);
      for (const { recordCount } of fetched) count += recordCount;
      // What was handed out, what is here and what is on its way.
      await new Promise((resolve) => setTimeout(resolve, 50));
      collectGarbage();
      heldMax = Math.max(heldMax, process.memoryUsage().arrayBuffers - heldBefore);
    }
    assert.equal(count, 48);
    t.diagnostic(`${Math.round(heldMax / 1e6)} MB at most`);
    assert.ok(heldMax < 10e6, `${heldMax} bytes were held`);
  });

  function versionsOf({ versions: { min, max } }: typeof fetch | typeof listOffsets): number[] {
    return Array.from({ length: max - min + 1 }, (_, n) => min + n);
  }

  /** All records from the offset on until one has this value. */
  async function readUntil(made: PartitionReader, topic: string, offset: number, last: string) {
    made.assign([{ topic, partition: 0, offset }]);
    const read: ReturnType<typeof recordsOf> = [];
    while (read.at(-1)?.value !== last) {
      const fetched: Fetched[] = await made.poll(10_000);
      assert.ok(fetched.length > 0, `${last} did not come`);
      read.push(...recordsOf(fetched));
    }
    await made.close();
    return read.map((record) => ({ offset: record.offset, value: record.value }));
  }
});
