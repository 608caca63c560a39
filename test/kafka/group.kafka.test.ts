/** Members of consumer groups at a real broker, alone, together, and beside Java's consumers. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { createKafkaAdmin } from "../../src/kafka/admin.ts";
import type { Connections, Transport } from "../../src/kafka/calls.ts";
import type { Admin } from "../../src/kafka/kafka.ts";
import { createTransport } from "../../src/kafka/transport.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { type Broker, startBroker, uniqueName } from "../harness/kafka/broker.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { WatchedConsumer, type WatchedOptions } from "../harness/kafka/watched-consumer.ts";
import { writeRecords } from "../harness/kafka/write-records.ts";
import { waitFor } from "../harness/wait-for.ts";

const { missing } = await kafkaJars();

describe("a consumer group", { skip: missing ?? false }, () => {
  let broker: Broker;
  let transport: Transport;
  let admin: Admin;
  let writing: Connections;
  const open: WatchedConsumer[] = [];

  before(async () => {
    const config = { "group.min.session.timeout.ms": "500", "auto.create.topics.enable": "false" };
    broker = await startBroker({ config });
    const logger = silentLogger();
    transport = await createTransport({
      bootstrapServers: [broker.bootstrap],
      config: {},
      clientId: "group-test",
      logger,
    });
    admin = createKafkaAdmin({ transport, logger });
    writing = transport.connections({ clientId: "writer" });
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((each) => each.close()));
  });
  after(async () => {
    await transport?.close();
    await broker?.stop();
  });

  async function topicOf(partitionCount: number, word = "t"): Promise<string> {
    const name = uniqueName(word);
    await admin.createTopic({ name, partitionCount, replicationFactor: -1, config: {} });
    await waitFor(
      async () => {
        await transport.map.refresh([name]);
        const leaders = transport.map.topic(name)?.leaders ?? [];
        return leaders.length === partitionCount && leaders.every((leader) => leader >= 0);
      },
      { withinMs: 10_000, what: "leaders of a new topic" },
    );
    return name;
  }

  const write = (topic: string, partition: number, values: readonly string[]) =>
    writeRecords(transport, writing, { topic, partition }, values);

  function member(options: WatchedOptions): WatchedConsumer {
    const config = { "heartbeat.interval.ms": "100", ...options.config };
    const made = new WatchedConsumer(transport, { ...options, config });
    open.push(made);
    return made;
  }

  const until = (what: string, condition: () => boolean | Promise<boolean>) =>
    waitFor(condition, { withinMs: 20_000, what });

  test("who comes second begins where the first has flushed and committed, never before", async () => {
    const topic = await topicOf(2);
    for (const partition of [0, 1]) await write(topic, partition, ["1", "2", "3"]);
    const groupId = uniqueName("g");
    const events: string[] = [];
    let letGo = () => {};
    const flushed = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const first = member({
      name: "a",
      groupId,
      topics: [topic],
      events,
      onRevoked: async () => {
        events.push("a flushes");
        await flushed;
      },
    }).start();
    await until("the first to read all", () => first.values.length === 6);
    const second = member({ name: "b", groupId, topics: [topic], events }).start();
    await until("the flush", () => events.includes("a flushes"));
    // More heartbeats than it would take to hear of a rebalance that was answered too early.
    const { map } = transport;
    for (let n = 0; n < 5; n += 1) await map.refresh([topic]);
    assert.deepEqual(second.held, []);
    letGo();
    await until("both to have one", () => first.held.length === 1 && second.held.length === 1);
    assert.deepEqual(events.slice(0, 3), ["a assigned t0@0,t1@0", "a flushes", "a revoked t0,t1"]);
    const one = (each: WatchedConsumer) => `assigned ${each.held}@3`;
    assert.deepEqual(events.slice(3).sort(), [`a ${one(first)}`, `b ${one(second)}`]);
    assert.deepEqual(second.values, []);
    await first.close();
    await until("the second to have all", () => second.held.length === 2);
    assert.deepEqual(await second.consumer.committed([{ topic, partition: 0 }]), [3]);
  });

  test("three members that come and go under load read every record once", async () => {
    const topic = await topicOf(6);
    const groupId = uniqueName("g");
    let isOver = false;
    let written = 0;
    const writer = (async () => {
      while (!isOver) {
        const values = Array.from({ length: 20 }, (_, n) => String(written + n));
        await write(topic, (written / 20) % 6, values);
        written += values.length;
      }
    })();
    const all: WatchedConsumer[] = [];
    const enter = () => {
      const made = member({ name: `m${all.length}`, groupId, topics: [topic] }).start();
      all.push(made);
      return made;
    };
    const holding = (...sizes: number[]) => {
      const now = all.map(({ held }) => held.length).filter((size) => size > 0);
      return now.sort().join() === sizes.join();
    };
    const leaver = enter();
    await until("one to hold all", () => holding(6));
    enter();
    enter();
    await until("three to share", () => holding(2, 2, 2));
    await leaver.close();
    await until("two to share", () => holding(3, 3));
    enter();
    await until("three to share again", () => holding(2, 2, 2));
    isOver = true;
    await writer;
    const count = () => all.reduce((sum, { values }) => sum + values.length, 0);
    await until("all to be read", () => count() >= written);
    for (const each of all) assert.equal(each.failure, undefined);
    const values = all.flatMap((each) => each.values).sort((a, b) => Number(a) - Number(b));
    assert.deepEqual(
      values,
      Array.from({ length: written }, (_, n) => String(n)),
    );
  });
});
