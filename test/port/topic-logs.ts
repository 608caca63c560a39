/** What the stores rely on: a compacted topic that is written, read to its end and followed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Kafka } from "../../src/kafka/kafka.ts";
import { openTopicLog, type TopicLogOptions } from "../../src/kafka/topic-log.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { waitFor } from "../harness/wait-for.ts";
import type { LogPort } from "./log-port.ts";

const bytes = (text: string | null) => (text === null ? null : new TextEncoder().encode(text));
const text = (from: Uint8Array | null) => (from === null ? null : Buffer.from(from).toString());

/** A topic log that writes down what it is told. */
async function follow(
  kafka: Kafka,
  options: Partial<TopicLogOptions> & Pick<TopicLogOptions, "topic">,
) {
  const told: [key: string | null, value: string | null][] = [];
  const log = await openTopicLog({
    kafka,
    partitionCount: 3,
    topicKey: "offset.storage.topic",
    purpose: "source connector offsets",
    clientId: "test",
    logger: silentLogger(),
    onRecord: (key, value) => told.push([text(key), text(value)]),
    ...options,
  });
  return { log, told };
}

/** Defines the tests of one form of the port. */
export function testTopicLogs(port: LogPort): void {
  test("what was appended is told after reading to the end, here and to another follower", async (t) => {
    const kafka = await port.open(t);
    const topic = port.nameOf("offsets");
    const a = await follow(kafka, { topic });
    await a.log.readToEnd();
    assert.deepEqual(a.told, []);
    await a.log.append(bytes("k"), bytes("v"));
    await a.log.appendAll([
      { key: bytes("k"), value: null },
      { key: bytes("y"), value: bytes("x") },
    ]);
    await a.log.readToEnd();
    const expected = [
      ["k", "v"],
      ["k", null],
      ["y", "x"],
    ].sort();
    assert.deepEqual([...a.told].sort(), expected);
    const b = await follow(kafka, { topic });
    await b.log.readToEnd();
    assert.deepEqual([...b.told].sort(), expected);
    await a.log.append(bytes("later"), bytes("1"));
    await waitFor(() => b.told.length === 4, { withinMs: 20_000, what: "the other's record" });
    await a.log.close();
    await b.log.close();
  });

  test("records keep their order and place within a partition", async (t) => {
    const kafka = await port.open(t);
    const topic = port.nameOf("offsets");
    const places: number[] = [];
    const { log } = await follow(kafka, {
      topic,
      partitionCount: 1,
      onRecord: (_, value, at) => {
        assert.equal(text(value), String(at.offset));
        assert.equal(at.partition, 0);
        assert.ok(Math.abs(Date.now() - at.timestampMs) < 60_000);
        places.push(at.offset);
      },
    });
    const all = Array.from({ length: 50 }, (_, n) => ({
      key: bytes("k"),
      value: bytes(String(n)),
    }));
    await log.appendAll(all);
    await log.readToEnd();
    assert.deepEqual(
      places,
      all.map((_, n) => n),
    );
    await log.close();
  });

  test("a missing topic is made compacted with the settings given", async (t) => {
    const kafka = await port.open(t);
    const topic = port.nameOf("offsets");
    const { log } = await follow(kafka, {
      topic,
      config: { "segment.bytes": "2097152", "cleanup.policy": "x" },
    });
    const made = await kafka.admin.describeTopic(topic);
    assert.equal(made?.partitionCount, 3);
    assert.equal(made?.config["cleanup.policy"], "compact");
    assert.equal(made?.config["segment.bytes"], "2097152");
    await log.close();
    const { log: again } = await follow(kafka, { topic, partitionCount: 9 });
    assert.equal(again.partitionCount, 3, "a topic that exists keeps its partitions");
    await again.close();
  });

  test("a topic that is not compacted is refused in Connect's words", async (t) => {
    const kafka = await port.open(t);
    const topic = port.nameOf("offsets");
    await kafka.admin.createTopic({
      name: topic,
      partitionCount: 2,
      replicationFactor: -1,
      config: {},
    });
    await assert.rejects(follow(kafka, { topic }), {
      name: "ConfigError",
      code: "kafka.topic_not_compacted",
      message:
        `Topic '${topic}' supplied via the 'offset.storage.topic' property is required to have ` +
        "'cleanup.policy=compact' to guarantee consistency and durability of source connector " +
        "offsets, but found the topic currently has 'cleanup.policy=delete'. Continuing would " +
        "likely result in eventually losing source connector offsets and problems restarting this " +
        "Connect cluster in the future. Change the 'offset.storage.topic' property in the Connect " +
        "worker configurations to use a topic with 'cleanup.policy=compact'.",
    });
  });

  test("a topic of several partitions is refused where one is required", async (t) => {
    const kafka = await port.open(t);
    const topic = port.nameOf("offsets");
    await (await follow(kafka, { topic })).log.close();
    await assert.rejects(follow(kafka, { topic, isSinglePartition: true }), {
      code: "kafka.topic_invalid",
      message: /is required to have a single partition .* but found 3 partitions\.$/,
    });
  });

  test("a follower that throws ends the log, and whoever waits learns why", async (t) => {
    const kafka = await port.open(t);
    const topic = port.nameOf("offsets");
    const { log } = await follow(kafka, {
      topic,
      onRecord: () => {
        throw new Error("cannot read this");
      },
    });
    await log.append(bytes("k"), bytes("v"));
    const failure = { name: "TaskError", code: "kafka.topic_log_failed" };
    await assert.rejects(log.readToEnd(), failure);
    await assert.rejects(log.readToEnd(), failure);
    await assert.rejects(log.append(bytes("k"), bytes("v")), failure);
    await log.close();
  });

  test("a record that is too large fails the append and none after it", async (t) => {
    const kafka = await port.open(t);
    const topic = port.nameOf("offsets");
    const { log, told } = await follow(kafka, {
      topic,
      producerConfig: { "max.request.size": "300" },
    });
    const large = bytes("x".repeat(500));
    const records = [
      { key: bytes("a"), value: bytes("1") },
      { key: bytes("b"), value: large },
      { key: bytes("c"), value: bytes("3") },
    ];
    await assert.rejects(log.appendAll(records), { code: "kafka.topic_log_failed" });
    await log.append(bytes("d"), bytes("4"));
    await log.readToEnd();
    assert.deepEqual(told.map(([key]) => key).sort(), ["a", "d"]);
    await log.close();
  });

  test("a log that is closed beneath it ends it too", async (t) => {
    const kafka = await port.open(t);
    const { log } = await follow(kafka, { topic: port.nameOf("offsets") });
    await kafka.close();
    await assert.rejects(log.append(bytes("k"), bytes("v")), { code: "kafka.topic_log_failed" });
    await log.close();
  });

  test("closing ends whoever waits; afterwards every call says that it is closed", async (t) => {
    const kafka = await port.open(t);
    const topic = port.nameOf("offsets");
    const { log } = await follow(kafka, { topic });
    await log.close();
    await assert.rejects(log.append(bytes("k"), null), { message: /it is closed/ });
    await assert.rejects(log.readToEnd(), { message: /it is closed/ });
    await log.close();
  });
}
