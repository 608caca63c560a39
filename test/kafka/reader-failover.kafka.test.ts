/** Reading on while leaders move and brokers end, and a compacted log with holes and markers. */
import assert from "node:assert/strict";
import { after, before, describe, type TestContext, test } from "node:test";
import { createKafkaAdmin } from "../../src/kafka/admin.ts";
import type { Transport } from "../../src/kafka/calls.ts";
import type { Kafka, PartitionReader, Producer } from "../../src/kafka/kafka.ts";
import { KafkaPartitionReader } from "../../src/kafka/reader/partition-reader.ts";
import { openTopicLog } from "../../src/kafka/topic-log.ts";
import { createTransport } from "../../src/kafka/transport.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { recordsOf } from "../harness/embedded-log.ts";
import { uniqueName } from "../harness/kafka/broker.ts";
import { type Cluster, startCluster } from "../harness/kafka/cluster.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { RecordWriter } from "../harness/kafka/record-writer.ts";
import { waitFor } from "../harness/wait-for.ts";

const { missing } = await kafkaJars();
const logger = silentLogger();

describe("reading from three brokers", { skip: missing ?? false }, () => {
  let cluster: Cluster;
  let transport: Transport;
  let writer: RecordWriter;

  before(async () => {
    const config = { "log.cleaner.backoff.ms": "100", "log.initial.task.delay.ms": "100" };
    cluster = await startCluster(3, { config });
    const bootstrapServers = cluster.bootstrap.split(",");
    transport = await createTransport({ bootstrapServers, config: {}, clientId: "test", logger });
    writer = await RecordWriter.start(cluster.direct);
  });
  after(async () => {
    await writer?.close();
    await transport?.close();
    await cluster?.stop();
  });

  function reader(t: TestContext): PartitionReader {
    const made = new KafkaPartitionReader({ clientId: "reader" }, { transport, logger });
    t.after(() => made.close());
    return made;
  }

  /** Polls until so many more values are there. */
  async function next(made: PartitionReader, count: number): Promise<(string | null)[]> {
    const values: (string | null)[] = [];
    const deadlineMs = performance.now() + 60_000;
    while (values.length < count) {
      assert.ok(performance.now() < deadlineMs, `${values.length} of ${count} records came`);
      values.push(...recordsOf(await made.poll(5_000)).map(({ value }) => value));
    }
    return values;
  }

  test("nothing is lost or read twice when the lead moves and when the leader is killed", async (t) => {
    const topic = uniqueName("moved");
    await cluster.createTopic(topic, 1, { "min.insync.replicas": "1" });
    const made = reader(t);
    made.assign([{ topic, partition: 0, offset: 0 }]);
    await writer.write([`write none ${topic} a 3`]);
    assert.deepEqual(await next(made, 3), ["a0", "a1", "a2"]);
    const first = await cluster.leaderOf(topic);
    const other = cluster.nodes.find((node) => node !== first)!;
    await cluster.moveLeader(topic, 0, other);
    await writer.write([`write none ${topic} b 3`]);
    assert.deepEqual(await next(made, 3), ["b0", "b1", "b2"]);
    await other.kill();
    await cluster.newLeaderOf(topic, other);
    await writer.write([`write none ${topic} c 3`]);
    assert.deepEqual(await next(made, 3), ["c0", "c1", "c2"]);
    await other.start();
    await cluster.isWhole();
  });

  test("a log of a compacted topic is read to its end over holes and markers, then followed", async () => {
    const topic = uniqueName("compacted");
    const config = {
      "cleanup.policy": "compact",
      "segment.ms": "200",
      "min.cleanable.dirty.ratio": "0.01",
    };
    await cluster.createTopic(topic, 1, config);
    const [done, gone] = [uniqueName("done"), uniqueName("gone")];
    const keys = Array.from({ length: 10 }, (_, n) => [
      `key ${topic} k ${n}`,
      `key ${topic} other ${n}`,
    ]);
    await writer.write(keys.flat());
    const admin = createKafkaAdmin({ transport, logger });
    // Compaction leaves the segment alone that is written to; each of these begins a new one.
    await waitFor(
      async () => {
        await writer.write([
          ...[`begin ${gone}`, `send ${gone} ${topic} gone`, `abort ${gone}`],
          ...[`begin ${done}`, `send ${done} ${topic} done`, `commit ${done}`],
        ]);
        return (await readAll(topic)).length < 20;
      },
      { withinMs: 60_000, what: "compaction", everyMs: 300 },
    );
    const told = new Map<string, string | null>();
    const text = (bytes: Uint8Array | null) =>
      bytes === null ? null : Buffer.from(bytes).toString();
    const log = await openTopicLog({
      kafka: kafkaOf(),
      topic,
      partitionCount: 1,
      topicKey: "config.storage.topic",
      purpose: "configs",
      clientId: "log",
      readCommitted: true,
      logger,
      onRecord: (key, value) => void told.set(text(key) ?? "", text(value)),
    });
    await log.readToEnd();
    const expected = { k: "9", other: "9", "\0\0\0\0": "done" };
    assert.deepEqual(Object.fromEntries(told), expected);
    // Only a marker is behind the last record.
    const [end = 0] = await admin.endOffsets([{ topic, partition: 0 }]);
    assert.ok((await readAll(topic)).at(-1)!.offset < end - 1);
    await writer.write([`key ${topic} k later`]);
    await waitFor(() => told.get("k") === "later", { withinMs: 20_000, what: "the record" });
    await log.close();
  });

  async function readAll(topic: string) {
    const made = new KafkaPartitionReader(
      { clientId: "all", readCommitted: true },
      { transport, logger },
    );
    made.assign([{ topic, partition: 0, offset: 0 }]);
    const admin = createKafkaAdmin({ transport, logger });
    const [end = 0] = await admin.endOffsets([{ topic, partition: 0 }]);
    const records: ReturnType<typeof recordsOf> = [];
    for (let at = 0; at < end; ) {
      const fetched = await made.poll(10_000);
      records.push(...recordsOf(fetched));
      at = fetched.at(-1)?.nextOffset ?? end;
    }
    await made.close();
    return records;
  }

  /** As much of the port as a log that is only read needs. */
  function kafkaOf(): Kafka {
    const nothing = async () => {};
    return {
      clusterId: transport.clusterId,
      admin: createKafkaAdmin({ transport, logger }),
      partitionReader: (options) => new KafkaPartitionReader(options, { transport, logger }),
      producer: () => ({ flush: nothing, close: nothing }) as unknown as Producer,
      transactionalProducer: () => Promise.reject(new Error("not here")),
      groupMember: () => assert.fail("not here"),
      sinkConsumer: () => {
        throw new Error("not here");
      },
      close: nothing,
    };
  }
});
