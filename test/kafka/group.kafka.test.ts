/** Members of consumer groups at a real broker. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { cooperativeStickyAssignor } from "../../src/kafka/group/assign-cooperative-sticky.ts";
import { sharedKafka, uniqueName } from "../harness/kafka/broker.ts";
import { type GroupRoom, openGroupRoom } from "../harness/kafka/group-room.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import type { WatchedConsumer } from "../harness/kafka/watched-consumer.ts";

const { missing } = await kafkaJars();

const cooperative = { "partition.assignment.strategy": cooperativeStickyAssignor.javaClass };

describe("a consumer group", { skip: missing ?? false }, () => {
  let room: GroupRoom;

  before(async () => {
    room = await openGroupRoom((await sharedKafka()).bootstrap);
  });
  afterEach(() => room.clear());
  after(() => room?.close());

  test("who comes second begins where the first has flushed and committed, never before", async () => {
    const topic = await room.topic(2);
    for (const partition of [0, 1]) await room.write(topic, partition, ["1", "2", "3"]);
    const groupId = uniqueName("g");
    const events: string[] = [];
    let letGo = () => {};
    const flushed = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const onRevoked = async () => {
      events.push("a flushes");
      await flushed;
    };
    const options = { groupId, topics: [topic], events };
    const first = room.member({ ...options, name: "a", onRevoked }).start();
    await room.until("the first to read all", () => first.values.length === 6);
    const second = room.member({ ...options, name: "b" }).start();
    await room.until("the flush", () => events.includes("a flushes"));
    // Long enough to hear of a rebalance that was answered too early.
    for (let n = 0; n < 5; n += 1) await room.transport.map.refresh([topic]);
    assert.deepEqual(second.held, []);
    letGo();
    const each = [first, second];
    await room.until("both to have one", () => each.every(({ held }) => held.length === 1));
    assert.deepEqual(events.slice(0, 3), ["a assigned t0@0,t1@0", "a flushes", "a revoked t0,t1"]);
    const one = (each: WatchedConsumer) => `assigned ${each.held}@3`;
    assert.deepEqual(events.slice(3).sort(), [`a ${one(first)}`, `b ${one(second)}`]);
    assert.deepEqual(second.values, []);
    await first.close();
    await room.until("the second to have all", () => second.held.length === 2);
    assert.deepEqual(await second.consumer.committed([{ topic, partition: 0 }]), [3]);
  });

  for (const { kind, config } of [
    { kind: "eager", config: {} },
    { kind: "cooperative", config: cooperative },
  ]) {
    test(`three ${kind} members that come and go under load read every record once`, async () => {
      const topic = await room.topic(6);
      const groupId = uniqueName("g");
      let isOver = false;
      let written = 0;
      const writer = (async () => {
        while (!isOver) {
          const values = Array.from({ length: 20 }, (_, n) => String(written + n));
          await room.write(topic, (written / 20) % 6, values);
          written += values.length;
        }
      })();
      const all: WatchedConsumer[] = [];
      const enter = () => {
        const name = `m${all.length}`;
        const made = room.member({ name, groupId, topics: [topic], config }).start();
        all.push(made);
        return made;
      };
      const holding = (...sizes: number[]) => {
        const now = all.map(({ held }) => held.length).filter((size) => size > 0);
        return now.sort().join() === sizes.join();
      };
      const leaver = enter();
      await room.until("one to hold all", () => holding(6));
      enter();
      enter();
      await room.until("three to share", () => holding(2, 2, 2));
      await leaver.close();
      await room.until("two to share", () => holding(3, 3));
      enter();
      await room.until("three to share again", () => holding(2, 2, 2));
      isOver = true;
      await writer;
      const count = () => all.reduce((sum, { values }) => sum + values.length, 0);
      await room.until("all to be read", () => count() >= written);
      for (const each of all) assert.equal(each.failure, undefined);
      const values = all.flatMap((each) => each.values).sort((a, b) => Number(a) - Number(b));
      assert.deepEqual(
        values,
        Array.from({ length: written }, (_, n) => String(n)),
      );
    });
  }

  test("a cooperative member gives up only what it must, and reads the rest on meanwhile", async () => {
    const topic = await room.topic(4);
    const groupId = uniqueName("g");
    const events: string[] = [];
    const options = { groupId, topics: [topic], events, config: cooperative };
    const first = room.member({ ...options, name: "a" }).start();
    await room.until("the first to hold all", () => first.held.length === 4);
    const second = room.member({ ...options, name: "b" }).start();
    await room.until("both to hold two", () => second.held.length === 2);
    const given = second.held.map((each) => `${each}@0`).join();
    assert.deepEqual(events, [
      "a assigned t0@0,t1@0,t2@0,t3@0",
      `a revoked ${second.held}`,
      `b assigned ${given}`,
    ]);
    await room.write(topic, Number(first.held[0]?.slice(1)), ["kept"]);
    await room.until("a record in what was kept", () => first.values.includes("kept"));
  });

  test("a pattern takes in topics as they come and grow, and leaves those that go", async () => {
    const word = uniqueName("p");
    const groupId = uniqueName("g");
    const config = { "metadata.max.age.ms": "200" };
    const topics = (name: string) => name.startsWith(word);
    const one = room.member({ name: "a", groupId, topics, config }).start();
    const first = await room.topic(1, `${word}-1`);
    await room.until("the first topic", () => one.held.join() === "p0");
    await room.write(first, 0, ["x"]);
    await room.until("its record", () => one.values.join() === "x");
    await room.topic(2, `${word}-2`);
    await room.until("the second topic", () => one.held.join() === "p0,p0,p1");
    await room.admin.deleteTopic(first);
    await room.until("the first to be left", () => one.held.join() === "p0,p1");
    assert.equal(one.failure, undefined);
  });

  test("a named topic that is missing is made, or waited for where that is not wanted", async () => {
    const [made, awaited] = [uniqueName("made"), uniqueName("later")];
    const groupId = uniqueName("g");
    const maker = room.member({ groupId, topics: [made] }).start();
    await room.until("the topic to be made", () => maker.held.join() === "made0");
    const config = { "allow.auto.create.topics": "false" };
    const waiter = room.member({ groupId: uniqueName("g"), topics: [awaited], config }).start();
    await room.until("the member to be in its group", () => waiter.polls > 2);
    assert.ok(!(await room.admin.listTopics()).includes(awaited));
    await room.topic(2, awaited);
    await room.until("the topic", () => waiter.held.join() === "later0,later1");
  });

  test("without a committed offset reading begins where the policy says", async () => {
    const topic = await room.topic(1);
    await room.write(topic, 0, ["old"]);
    const topics = [topic];
    const make = (reset: string) =>
      room
        .member({ groupId: uniqueName("g"), topics, config: { "auto.offset.reset": reset } })
        .start();
    const [early, late, none] = [make("earliest"), make("latest"), make("none")];
    await room.until("the members to hold it", () => early.held.length + late.held.length === 2);
    await room.write(topic, 0, ["new"]);
    await room.until("early", () => early.values.join() === "old,new");
    await room.until("late", () => late.values.join() === "new");
    await room.until("a failure", () => none.failure !== undefined);
    assert.match(String(none.failure), /cannot read t-.*-0: group g-.* has no offset of it/);
  });

  test("only what a member holds can be committed or sought by it, and only offsets", async () => {
    const topic = await room.topic(1);
    const { consumer, ...one } = room.member({ groupId: uniqueName("g"), topics: [topic] });
    const place = { topic, partition: 0 };
    await assert.rejects(consumer.commit([{ ...place, offset: 1 }]), {
      name: "FencedError",
      code: "kafka.member_fenced",
    });
    assert.throws(() => consumer.seek(place, 0), { code: "kafka.partition_not_assigned" });
    assert.deepEqual(await consumer.committed([place]), [null]);
    await room.until("the share", async () => {
      await consumer.poll(100);
      return consumer.assignment().length === 1;
    });
    await assert.rejects(consumer.commit([{ ...place, offset: -1 }]), {
      code: "kafka.offset_invalid",
    });
    await consumer.commit([{ ...place, offset: 7 }]);
    assert.deepEqual(await consumer.committed([place]), [7]);
    assert.deepEqual(one.values, []);
  });

  test("a paused partition is not read until it is resumed, and seeking reads again", async () => {
    const topic = await room.topic(1);
    await room.write(topic, 0, ["1", "2"]);
    const one = room.member({ groupId: uniqueName("g"), topics: [topic] });
    const place = { topic, partition: 0 };
    await room.until("the records", async () => {
      await one.poll(100);
      return one.values.length === 2;
    });
    one.consumer.pause([place]);
    one.consumer.seek(place, 1);
    await one.poll(700);
    assert.equal(one.values.length, 2);
    const polled = one.poll(20_000);
    one.consumer.resume([place]);
    await polled;
    assert.deepEqual(one.values, ["1", "2", "2"]);
  });

  test("closing ends a poll, gives up what is held and leaves the group at once", async () => {
    const topic = await room.topic(1);
    const groupId = uniqueName("g");
    const one = room.member({ groupId, topics: [topic] });
    await room.until("the share", async () => {
      await one.poll(100);
      return one.held.length === 1;
    });
    const polled = one.consumer.poll(60_000);
    await one.consumer.close();
    assert.deepEqual(await polled, []);
    assert.deepEqual(one.events, ["assigned t0@0", "revoked t0"]);
    // Refused while a group has members.
    await room.admin.alterGroupOffsets(groupId, [{ topic, partition: 0, offset: 7 }]);
  });

  test("a cooperative member that is closed in a rebalance commits without waiting for the others", async () => {
    const topic = await room.topic(2);
    const options = { groupId: uniqueName("g"), topics: [topic], config: cooperative };
    const closes = room.member(options).start();
    await room.until("the share", () => closes.held.length === 2);
    const away = room.member(options).start();
    await room.until("half of it each", () => away.held.length + closes.held.length === 2);
    await room.until("the half of the other", () => away.held.length === 1);
    await room.until("calm", async () => (await room.groupState(options.groupId)) === "Stable");
    await away.pause();
    // The group now waits for one that does not poll.
    room.member(options).start();
    const isWaiting = async () => (await room.groupState(options.groupId)) === "PreparingRebalance";
    await room.until("the rebalance", isWaiting);
    const polls = closes.polls;
    await room.until("the member to have heard of it", () => closes.polls > polls + 1);
    const place = { topic, partition: Number(closes.held[0]?.slice(1)) };
    const commit = closes.consumer.commit([{ ...place, offset: 7 }]);
    await closes.close();
    await commit;
    assert.deepEqual(await away.consumer.committed([place]), [7]);
  });

  test("members without a strategy in common are told so", async () => {
    const topic = await room.topic(1);
    const groupId = uniqueName("g");
    const range = "org.apache.kafka.clients.consumer.RangeAssignor";
    const config = { "partition.assignment.strategy": range };
    const one = room.member({ groupId, topics: [topic], config }).start();
    await room.until("the share", () => one.held.length === 1);
    const other = room.member({ groupId, topics: [topic], config: cooperative }).start();
    await room.until("the failure", () => other.failure !== undefined);
    assert.match(
      String(other.failure),
      /cannot join group g-.* at 127\.0\.0\.1:\d+: .* INCONSISTENT_GROUP_PROTOCOL/,
    );
  });
});
