/** What befalls members of a group: stopped processes, users that stay away, brokers that restart. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, afterEach, before, describe, test } from "node:test";
import { cooperativeStickyAssignor } from "../../src/kafka/group/assign-cooperative-sticky.ts";
import { compiledProgram } from "../harness/compiled-program.ts";
import { type Broker, startBroker, uniqueName } from "../harness/kafka/broker.ts";
import { type GroupRoom, openGroupRoom } from "../harness/kafka/group-room.ts";
import { guard } from "../harness/kafka/jvm.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { askMorePartitions } from "../harness/kafka/steer-broker.ts";

const { missing } = await kafkaJars();

const cooperative = { "partition.assignment.strategy": cooperativeStickyAssignor.javaClass };
/** A busy machine may hold a member up for less than that. */
const short = { "session.timeout.ms": "2000", "heartbeat.interval.ms": "100" };

describe("a member of a consumer group", { skip: missing ?? false }, () => {
  let broker: Broker;
  let room: GroupRoom;

  before(async () => {
    broker = await startBroker({ config: { "group.min.session.timeout.ms": "500" } });
    room = await openGroupRoom(broker.bootstrap);
  });
  afterEach(() => room.clear());
  after(async () => {
    await room?.close();
    await broker?.stop();
  });

  for (const { kind, config } of [
    { kind: "eager", config: short },
    { kind: "cooperative", config: { ...short, ...cooperative } },
  ]) {
    test(`a stopped process loses what it held (${kind}), learns of it and comes back`, async () => {
      const topic = await room.topic(2);
      const groupId = uniqueName("g");
      const options = { bootstrap: broker.bootstrap, groupId, topic, config };
      const program = compiledProgram("test/fixtures/group-member.ts");
      const child = spawn(process.execPath, [program, JSON.stringify(options)]);
      guard(child);
      let said = "";
      child.stdout.on("data", (chunk) => {
        said += chunk;
      });
      try {
        await room.until("the child to hold both", () => said === "assigned 0,1\n");
        child.kill("SIGSTOP");
        const other = room.member({ groupId, topics: [topic], config }).start();
        await room.until("the other to hold both", () => other.held.length === 2);
        await room.write(topic, 0, ["x"]);
        await room.until("the record", () => other.values.join() === "x");
        child.kill("SIGCONT");
        await room.until("the child to learn of it", () => said.includes("lost 0,1\n"));
        await room.until("the other to give one up", () => other.held.length === 1);
        await room.until("the child to have one", () => /lost 0,1\n.*assigned [01]\n$/s.test(said));
        assert.doesNotMatch(said.slice(0, said.indexOf("lost")), /revoked/);
      } finally {
        child.kill("SIGKILL");
      }
    });
  }

  test("one that does not come back to poll in time leaves, learns it, and comes back", async () => {
    const topic = await room.topic(2);
    const groupId = uniqueName("g");
    const config = { "max.poll.interval.ms": "1500" };
    const slow = room.member({ groupId, topics: [topic], config }).start();
    await room.until("the share", () => slow.held.length === 2);
    await slow.pause();
    const other = room.member({ groupId, topics: [topic] }).start();
    await room.until("the other to hold both", () => other.held.length === 2);
    const stale = [{ topic, partition: 0, offset: 1 }];
    await assert.rejects(slow.consumer.commit(stale), {
      name: "FencedError",
      code: "kafka.member_fenced",
    });
    slow.start();
    const both = [slow, other];
    await room.until("both to have one", () => both.every(({ held }) => held.length === 1));
    assert.deepEqual(slow.events.slice(0, 2), ["assigned t0@0,t1@0", "lost t0,t1"]);
  });

  test("a flush that outlasts the rebalance is not committed, and nobody waits for it", async () => {
    const topic = await room.topic(1);
    await room.write(topic, 0, ["1", "2"]);
    const groupId = uniqueName("g");
    const config = { "max.poll.interval.ms": "1500" };
    let letGo = () => {};
    const flushed = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const slow = room
      .member({ groupId, topics: [topic], config, onRevoked: () => flushed })
      .start();
    await room.until("the records", () => slow.values.length === 2);
    const other = room.member({ groupId, topics: [topic], config }).start();
    await room.until("the other to hold it", () => other.held.length === 1);
    letGo();
    await room.until("the end of the slow one's poll", () => slow.failure !== undefined);
    assert.equal((slow.failure as { code?: string }).code, "kafka.member_fenced");
    await room.until("the other to read all", () => other.values.length === 2);
    const place = { topic, partition: 0 };
    assert.deepEqual(await other.consumer.committed([place]), [null]);
  });

  test("with an instance id one comes back to its place, and another with its id ends it", async () => {
    const topic = await room.topic(2);
    const groupId = uniqueName("g");
    const options = (id: string) => ({
      groupId,
      topics: [topic],
      config: { "group.instance.id": id, "session.timeout.ms": "20000" },
    });
    const stays = room.member(options("b")).start();
    await room.until("the share", () => stays.held.length === 2);
    const first = room.member(options("a")).start();
    await room.until("both to have one", () => first.held.length + stays.held.length === 2);
    await room.until("the first to have its own", () => first.held.join() === "t0");
    const before = stays.events.length;
    await first.close();
    const again = room.member(options("a")).start();
    await room.until("its place", () => again.held.join() === "t0");
    const twin = room.member(options("a")).start();
    await room.until("the end of the one before", () => again.failure !== undefined);
    assert.match(
      String(again.failure),
      /FencedError: cannot stay in group .* the group\.instance\.id a/,
    );
    await room.until("the twin to have it", () => twin.held.join() === "t0");
    assert.deepEqual(again.events, ["assigned t0@0", "lost t0"]);
    assert.equal(stays.events.length, before);
    assert.equal(stays.failure, undefined);
  });

  test("a leader that comes back under its instance id still sees its topics grow", async () => {
    const name = uniqueName("t");
    const topics = (topic: string) => topic.startsWith(name);
    const config = { "group.instance.id": "a", "metadata.max.age.ms": "200" };
    const options = { groupId: uniqueName("g"), topics, config };
    await room.topic(1, `${name}-1`);
    const first = room.member(options).start();
    await room.until("the share", () => first.held.length === 1);
    await first.close();
    const again = room.member(options).start();
    await room.until("its place", () => again.held.length === 1);
    await askMorePartitions(broker.ports.internal, `${name}-1`, 3);
    await room.until("all of the grown topic", () => again.held.length === 3);
  });

  test("members outlive a restart of their coordinator, and go on where they were", async () => {
    const topic = await room.topic(2);
    const groupId = uniqueName("g");
    const make = () => room.member({ groupId, topics: [topic] }).start();
    const both = [make(), make()];
    await room.until("both to have one", () => both.every(({ held }) => held.length === 1));
    for (const partition of [0, 1]) await room.write(topic, partition, ["before"]);
    await room.until("the records", () => both.every(({ values }) => values.length === 1));
    await broker.kill();
    await broker.start();
    await room.until("leaders again", () =>
      room.write(topic, 0, ["after"]).then(
        () => true,
        () =>
          room.transport.map.refresh([topic]).then(
            () => false,
            () => false,
          ),
      ),
    );
    await room.until("the new record", () => both.some(({ values }) => values.includes("after")));
    const place = (n: number) => ({ topic, partition: Number(both[n]!.held[0]?.slice(1)) });
    await both[0]!.consumer.commit([{ ...place(0), offset: 1 }]);
    for (const each of both) assert.equal(each.failure, undefined);
    await both[1]!.close();
    await room.until("one to have both", () => both[0]!.held.length === 2);
  });
});
