/** Topics and groups of a real cluster through the port's admin. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createKafkaAdmin } from "../../src/kafka/admin.ts";
import type { Transport } from "../../src/kafka/calls.ts";
import type { Admin } from "../../src/kafka/kafka.ts";
import { KafkaPartitionReader } from "../../src/kafka/reader/partition-reader.ts";
import { createTransport } from "../../src/kafka/transport.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { sharedKafka, uniqueName } from "../harness/kafka/broker.ts";
import { type GroupRoom, openGroupRoom } from "../harness/kafka/group-room.ts";
import { javaTool, startJavaTool } from "../harness/kafka/java-tool.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { RecordWriter } from "../harness/kafka/record-writer.ts";
import { waitFor } from "../harness/wait-for.ts";

const { missing } = await kafkaJars();
const skip = missing ?? false;

describe("the admin of a cluster", { skip }, () => {
  let bootstrap: string;
  let transport: Transport;
  let admin: Admin;
  let room: GroupRoom;

  before(async () => {
    ({ bootstrap } = await sharedKafka());
    const logger = silentLogger();
    const options = { bootstrapServers: [bootstrap], config: {}, clientId: "admin-test", logger };
    transport = await createTransport(options);
    admin = createKafkaAdmin({ transport, logger });
    room = await openGroupRoom(bootstrap);
  });
  after(async () => {
    await room?.close();
    await transport?.close();
  });

  const topicOf = (partitionCount: number, config: Record<string, string> = {}) => ({
    name: uniqueName("admin"),
    partitionCount,
    replicationFactor: -1,
    config,
  });

  const consumerArgs = (topic: string, group: string) => [
    ...["--bootstrap-server", bootstrap, "--topic", topic],
    ...["--group", group, "--from-beginning"],
  ];

  test("a topic is made once, with its settings or the broker's, and told at once", async () => {
    const topic = topicOf(3, { "cleanup.policy": "compact" });
    assert.equal(await admin.createTopic(topic), true);
    assert.equal(await admin.createTopic(topic), false);
    assert.deepEqual(await admin.describeTopic(topic.name), {
      name: topic.name,
      partitionCount: 3,
      config: { "cleanup.policy": "compact" },
    });
    const plain = topicOf(-1);
    await admin.createTopic(plain);
    const described = await admin.describeTopic(plain.name);
    assert.equal(described?.partitionCount, 1);
    assert.deepEqual(described?.config, { "cleanup.policy": "delete" });
    assert.ok((await admin.listTopics()).includes(plain.name));
    assert.equal(await admin.describeTopic(uniqueName("none")), undefined);
  });

  for (const { name, change, says, code = "kafka.broker_refused" } of [
    { name: "name", change: { name: "a b" }, says: /INVALID_TOPIC_EXCEPTION \(.*a b/ },
    {
      name: "setting",
      change: { config: { "retention.ms": "soon" } },
      says: /INVALID_CONFIG \(.*retention\.ms/,
      code: "kafka.topic_invalid",
    },
    {
      name: "replication factor",
      change: { replicationFactor: 99 },
      says: /INVALID_REPLICATION_FACTOR \(/,
    },
  ]) {
    test(`a ${name} that the brokers refuse is told in their words`, async () => {
      const topic = { ...topicOf(1), ...change };
      await assert.rejects(admin.createTopic(topic), (error: Error & { code?: string }) => {
        assert.equal(error.code, code);
        assert.ok(
          error.message.startsWith(`cannot create topic ${topic.name}: the broker answered `),
        );
        assert.match(error.message, says);
        return true;
      });
    });
  }

  test("a deleted topic is gone, and may be deleted again", async () => {
    const topic = topicOf(1);
    await admin.createTopic(topic);
    await admin.deleteTopic(topic.name);
    assert.equal(await admin.describeTopic(topic.name), undefined);
    await admin.deleteTopic(topic.name);
  });

  test("the end of each partition is told in the order asked", async () => {
    const topic = await room.topic(2);
    await room.write(topic, 0, ["a"]);
    await room.write(topic, 1, ["b", "c"]);
    const at = (partition: number) => ({ topic, partition });
    assert.deepEqual(await admin.endOffsets([at(1), at(0)]), [2, 1]);
    assert.deepEqual(await admin.endOffsets([at(0), at(1)]), [1, 2]);
  });

  test("offsets of a group without members are listed, altered, removed and deleted", async () => {
    const topic = await room.topic(1);
    const group = uniqueName("admin-group");
    assert.deepEqual(await admin.groupOffsets(group), []);
    await room.write(topic, 0, ["a", "b", "c"]);
    await javaTool("ConsoleConsumer", [...consumerArgs(topic, group), "--max-messages", "3"]);
    const place = { topic, partition: 0 };
    assert.deepEqual(await admin.groupOffsets(group), [{ ...place, offset: 3 }]);
    await admin.alterGroupOffsets(group, [{ ...place, offset: 1 }]);
    assert.deepEqual(await admin.groupOffsets(group), [{ ...place, offset: 1 }]);
    const { stdout } = await javaTool("ConsumerGroupCommand", [
      "--bootstrap-server",
      bootstrap,
      "--describe",
      "--group",
      group,
    ]);
    assert.match(stdout, new RegExp(`${topic} +0 +1 +3 +2`));
    await admin.alterGroupOffsets(group, [{ ...place, offset: null }]);
    assert.deepEqual(await admin.groupOffsets(group), []);
    await admin.alterGroupOffsets(group, [{ ...place, offset: 2 }]);
    await admin.deleteGroup(group);
    await admin.deleteGroup(group);
    assert.deepEqual(await admin.groupOffsets(group), []);
  });

  test("what cannot be an offset is refused before a broker takes it", async () => {
    const offsets = [{ topic: "t", partition: 0, offset: -1 }];
    await assert.rejects(admin.alterGroupOffsets("g", offsets), {
      message: "cannot set the offset of t-0 for group g to -1",
    });
  });

  test("an offset in a partition that is not there is refused by its name", async () => {
    const topic = uniqueName("none");
    const offsets = [{ topic, partition: 7, offset: 1 }];
    await assert.rejects(admin.alterGroupOffsets(uniqueName("admin-group"), offsets), {
      message: `cannot set an offset in ${topic}-7: there is no such partition`,
    });
  });

  test("offsets of a group with members are left alone, with what to do", async (t) => {
    const topic = await room.topic(1);
    const group = uniqueName("admin-group");
    const place = { topic, partition: 0 };
    const consumer = await startJavaTool("ConsoleConsumer", consumerArgs(topic, group));
    t.after(() => consumer.kill("SIGKILL"));
    consumer.stdout?.resume();
    consumer.stderr?.resume();
    await waitFor(
      async () =>
        (await refusal(admin.alterGroupOffsets(group, [{ ...place, offset: 0 }]))) !== undefined,
      {
        withinMs: 60_000,
        what: "the member",
      },
    );
    const changes = [
      () => admin.alterGroupOffsets(group, [{ ...place, offset: 0 }]),
      () => admin.deleteGroup(group),
    ];
    for (const change of changes)
      assert.match((await refusal(change()))?.message ?? "", /has members$/);
  });

  test("a fenced producer's transaction is aborted, and it writes no more", async (t) => {
    const topic = topicOf(1);
    const [held, unused] = [uniqueName("fenced"), uniqueName("unused")];
    await admin.createTopic(topic);
    const writer = await RecordWriter.start(bootstrap);
    t.after(() => writer.close());
    await writer.write([`begin ${held}`, `send ${held} ${topic.name} before`]);
    await admin.fenceProducers([held, unused]);
    await assert.rejects(writer.write([`commit ${held}`]), /Fenced|InvalidProducerEpoch/);
    await assert.rejects(admin.fenceProducers([""]), /transactional id .*INVALID_REQUEST/s);
    const reader = new KafkaPartitionReader(
      { clientId: "reader", readCommitted: true },
      { transport, logger: silentLogger() },
    );
    t.after(() => reader.close());
    reader.assign([{ topic: topic.name, partition: 0, offset: 0 }]);
    let [records, next] = [0, 0];
    // One record and the marker that aborts it.
    await waitFor(
      async () => {
        for (const { recordCount, nextOffset } of await reader.poll(1_000)) {
          records += recordCount;
          next = nextOffset;
        }
        return next === 2;
      },
      { withinMs: 20_000, what: "the marker" },
    );
    assert.equal(records, 0);
  });
});

async function refusal(work: Promise<unknown>): Promise<Error | undefined> {
  return work.then(
    () => undefined,
    (error: Error) => error,
  );
}
