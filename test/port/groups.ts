/** What a sink's consumer relies on, whatever log is behind the port. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Kafka } from "../../src/kafka/kafka.ts";
import { fill, recordsOf } from "../harness/embedded-log.ts";
import { waitFor } from "../harness/wait-for.ts";
import { WatchedMember, type WatchedOptions } from "../harness/watched-member.ts";
import { type LogPort, newTopic } from "./log-port.ts";

function member(kafka: Kafka, options: WatchedOptions): WatchedMember {
  return new WatchedMember((of) => kafka.sinkConsumer(of), options);
}

/** Polls all of them, side by side, until something holds. */
async function pollUntil(
  what: string,
  members: readonly WatchedMember[],
  holds: () => boolean,
): Promise<void> {
  const round = async () => {
    await Promise.all(members.map((each) => each.poll(100)));
    return holds();
  };
  await waitFor(round, { withinMs: 30_000, what });
}

/** Defines the tests of one form of the port. */
export function testGroups(port: LogPort): void {
  test("a second member gets its share after the first gave it up, and all of it when that leaves", async (t) => {
    const kafka = await port.open(t);
    const topic = await newTopic(port, kafka, { partitionCount: 2 });
    const options = { topics: [topic], groupId: port.nameOf("group") };
    const a = member(kafka, options);
    await pollUntil("the first member", [a], () => a.held.length === 2);
    assert.deepEqual(a.events, ["assigned topic0@0,topic1@0"]);
    const b = member(kafka, options);
    await pollUntil("a share each", [a, b], () => a.held.length === 1 && b.held.length === 1);
    assert.match(a.events[1] ?? "", /^revoked /, "before the other one was given anything");
    assert.deepEqual([...a.held, ...b.held].sort(), ["topic0", "topic1"]);
    const last = a.held[0];
    await a.consumer.close();
    assert.equal(a.events.at(-1), `revoked ${last}`);
    await pollUntil("all for the one that is left", [b], () => b.held.length === 2);
    await b.consumer.close();
  });

  test("what was committed while giving up is where the next owner begins", async (t) => {
    const kafka = await port.open(t);
    const topic = await newTopic(port, kafka, { partitionCount: 2 });
    const all = [0, 1].map((partition) => ({ topic, partition, offset: 0 }));
    await fill(kafka, topic, ["1", "2", "3", "4"]);
    const options = { topics: [topic], groupId: port.nameOf("group") };
    const a: WatchedMember = member(kafka, {
      ...options,
      onRevoked: (partitions) =>
        a.consumer.commit(partitions.map((each) => ({ ...each, offset: 3 }))),
    });
    await pollUntil("the first member", [a], () => a.held.length === 2);
    const b = member(kafka, options);
    await pollUntil("the second member", [a, b], () => b.held.length === 1);
    assert.deepEqual(b.events, [`assigned ${b.held[0]}@3`]);
    const [one, other] = await b.consumer.committed(all);
    assert.ok([one, other].includes(3), `${one} ${other}`);
    await a.consumer.close();
    await b.consumer.close();
  });

  test("only what a member holds can be committed or sought by it", async (t) => {
    const kafka = await port.open(t);
    const topic = await newTopic(port, kafka, { partitionCount: 2 });
    const groupId = port.nameOf("group");
    const a = member(kafka, { topics: [topic], groupId });
    const place = { topic, partition: 1, offset: 5 };
    await assert.rejects(a.consumer.commit([place]), { code: "kafka.member_fenced" });
    assert.throws(() => a.consumer.seek(place, 0), { code: "kafka.partition_not_assigned" });
    await pollUntil("the member", [a], () => a.held.length === 2);
    await a.consumer.commit([place]);
    assert.deepEqual(await kafka.admin.groupOffsets(groupId), [place]);
    await a.consumer.close();
  });

  test("without a committed offset reading begins where the policy says", async (t) => {
    const kafka = await port.open(t);
    const topic = await newTopic(port, kafka);
    await fill(kafka, topic, ["old"]);
    const topics = [topic];
    const early = member(kafka, { topics, groupId: port.nameOf("early") });
    const groupId = port.nameOf("late");
    const late = member(kafka, { topics, groupId, autoOffsetReset: "latest" });
    const both = [early, late];
    await pollUntil("both", both, () => both.every(({ held }) => held.length === 1));
    await fill(kafka, topic, ["new"]);
    await pollUntil("the new one", both, () => both.every(({ values }) => values.includes("new")));
    assert.deepEqual(early.values, ["old", "new"]);
    assert.deepEqual(late.values, ["new"]);
    await Promise.all(both.map(({ consumer }) => consumer.close()));
  });

  test("a paused partition is not read until it is resumed, and seeking reads again", async (t) => {
    const kafka = await port.open(t);
    const topic = await newTopic(port, kafka);
    await fill(kafka, topic, ["1", "2"]);
    const a = member(kafka, { topics: [topic], groupId: port.nameOf("group") });
    const partition = { topic, partition: 0 };
    await pollUntil("both records", [a], () => a.values.length === 2);
    a.consumer.pause([partition]);
    a.consumer.seek(partition, 1);
    await a.poll(700);
    assert.deepEqual(a.values, ["1", "2"]);
    a.consumer.resume([partition]);
    await pollUntil("the second again", [a], () => a.values.length === 3);
    assert.deepEqual(a.values, ["1", "2", "2"]);
    await a.consumer.close();
  });

  test("an error of the listener comes out of poll", async (t) => {
    const kafka = await port.open(t);
    const topic = await newTopic(port, kafka);
    const consumer = kafka.sinkConsumer({
      clientId: "c",
      groupId: port.nameOf("group"),
      topics: [topic],
      autoOffsetReset: "earliest",
      listener: {
        assigned: () => Promise.reject(new Error("not ready")),
        revoked: async () => {},
        lost: async () => {},
      },
    });
    await assert.rejects(consumer.poll(20_000), { message: "not ready" });
    await consumer.close().catch(() => {});
  });

  test("closing ends a poll, gives up what is held and leaves the group", async (t) => {
    const kafka = await port.open(t);
    const topic = await newTopic(port, kafka);
    const groupId = port.nameOf("group");
    const a = member(kafka, { topics: [topic], groupId });
    await pollUntil("the member", [a], () => a.held.length === 1);
    const polled = a.consumer.poll(60_000);
    await a.consumer.close();
    assert.deepEqual(await polled, []);
    assert.deepEqual(a.events, ["assigned topic0@0", "revoked topic0"]);
    await kafka.admin.alterGroupOffsets(groupId, [{ topic, partition: 0, offset: 7 }]);
  });

  test("a pattern takes in topics as they come", async (t) => {
    const kafka = await port.open(t);
    const prefix = port.nameOf("family");
    const name = (child: string) => `${prefix}-${child}`;
    const make = (topic: string) =>
      kafka.admin.createTopic({
        name: topic,
        partitionCount: 1,
        replicationFactor: -1,
        config: {},
      });
    await make(name("a"));
    await fill(kafka, name("a"), ["1"]);
    const consumer = kafka.sinkConsumer({
      clientId: "c",
      groupId: port.nameOf("group"),
      topics: (topic) => topic.startsWith(prefix),
      autoOffsetReset: "earliest",
      config: { "metadata.max.age.ms": "500" },
      listener: { assigned: async () => {}, revoked: async () => {}, lost: async () => {} },
    });
    const values: (string | null)[] = [];
    const until = (count: number) =>
      waitFor(
        async () => {
          values.push(...recordsOf(await consumer.poll(100)).map(({ value }) => value));
          return values.length >= count;
        },
        { withinMs: 30_000, what: `${count} records` },
      );
    await until(1);
    await make(name("b"));
    await fill(kafka, name("b"), ["2"]);
    await until(2);
    assert.deepEqual([...new Set(values)].sort(), ["1", "2"]);
    await consumer.close();
  });

  test("offsets cannot be altered or deleted under members", async (t) => {
    const kafka = await port.open(t);
    const topic = await newTopic(port, kafka);
    const groupId = port.nameOf("group");
    const a = member(kafka, { topics: [topic], groupId });
    await pollUntil("the member", [a], () => a.held.length === 1);
    const busy = { name: "TaskError", code: "kafka.group_not_empty" };
    const offsets = [{ topic, partition: 0, offset: 0 }];
    await assert.rejects(kafka.admin.alterGroupOffsets(groupId, offsets), busy);
    await assert.rejects(kafka.admin.deleteGroup(groupId), busy);
    await a.consumer.close();
    await kafka.admin.alterGroupOffsets(groupId, [{ topic, partition: 0, offset: 9 }]);
    assert.deepEqual(await kafka.admin.groupOffsets(groupId), [{ topic, partition: 0, offset: 9 }]);
    await kafka.admin.alterGroupOffsets(groupId, [{ topic, partition: 0, offset: null }]);
    await kafka.admin.deleteGroup(groupId);
    assert.deepEqual(await kafka.admin.groupOffsets(groupId), []);
  });
}
