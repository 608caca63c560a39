/** What users are told when a cluster fails for good, and what goes on after it is mended. */
import assert from "node:assert/strict";
import { after, before, describe, type TestContext, test } from "node:test";
import { errorTrace } from "../../src/base/error.ts";
import type { ClientConfig, Kafka } from "../../src/kafka/kafka.ts";
import { openKafka } from "../../src/kafka/open-kafka.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { type Outcome, produce, recordsOf } from "../harness/embedded-log.ts";
import { type Broker, startBroker, uniqueName } from "../harness/kafka/broker.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { saslUsers } from "../harness/kafka/sasl-users.ts";
import { askScramUser } from "../harness/kafka/steer-broker.ts";
import { waitFor } from "../harness/wait-for.ts";

const { missing } = await kafkaJars();

/** Gives up soon. */
const impatient: ClientConfig = {
  "linger.ms": "0",
  "retry.backoff.ms": "50",
  "request.timeout.ms": "1500",
  "delivery.timeout.ms": "2500",
  "max.block.ms": "2500",
};

async function open(
  t: TestContext,
  bootstrapServers: string,
  config: ClientConfig = {},
): Promise<Kafka> {
  const logger = silentLogger();
  const kafka = await openKafka({ bootstrapServers, config, clientId: "test", logger });
  t.after(() => kafka.close());
  return kafka;
}

async function newTopic(kafka: Kafka): Promise<string> {
  const name = uniqueName("t");
  await kafka.admin.createTopic({ name, partitionCount: 1, replicationFactor: 1, config: {} });
  return name;
}

/** The whole story that a user is told of a record. */
function failure(outcome: Outcome | undefined): string {
  if (outcome === undefined || !("error" in outcome)) throw new Error("the record was stored");
  return errorTrace(outcome.error);
}

async function readFirst(kafka: Kafka, topic: string, count: number): Promise<(string | null)[]> {
  const reader = kafka.partitionReader({ clientId: "look" });
  reader.assign([{ topic, partition: 0, offset: 0 }]);
  const values: (string | null)[] = [];
  await waitFor(
    async () => {
      const records = recordsOf(await reader.poll(500).catch(() => []));
      values.push(...records.map(({ value }) => value?.slice(0, 12) ?? null));
      return values.length >= count;
    },
    { withinMs: 30_000, what: `${count} records of ${topic}` },
  );
  await reader.close();
  return values;
}

describe("a broker whose disk is full", { skip: missing ?? false }, () => {
  let broker: Broker;
  before(async () => {
    broker = await startBroker({ fileBytesMax: 12 * 1024 * 1024 });
  });
  after(() => broker?.stop());

  test("is told with the partition and Kafka's name; what it took is there once it has room", async (t) => {
    const kafka = await open(t, broker.bootstrap);
    const topic = await newTopic(kafka);
    const producer = kafka.producer({ clientId: "writer", config: impatient });
    const filler = "x".repeat(900_000);
    const stored: string[] = [];
    let told: string | undefined;
    for (let n = 0; n < 40 && told === undefined; n += 1) {
      const value = `${String(n).padStart(12, "0")}${filler}`;
      const [outcome] = await produce(producer, [{ topic, partition: 0, value }]);
      if (outcome !== undefined && "at" in outcome) stored.push(value.slice(0, 12));
      else told = failure(outcome);
    }
    assert.ok(stored.length > 5, `${stored.length} records fit`);
    assert.match(told ?? "", new RegExp(`partition 0 of topic ${topic}`));
    assert.match(told ?? "", new RegExp(`at ${broker.bootstrap}|\\(${broker.bootstrap}\\)`));
    assert.match(told ?? "", /KAFKA_STORAGE_ERROR/);
    await broker.kill();
    await broker.start({ room: true });
    const patient = kafka.producer({ clientId: "patient", config: { "linger.ms": "0" } });
    const [later] = await produce(patient, [{ topic, partition: 0, value: "later" }]);
    assert.ok(later !== undefined && "at" in later, "it is written to again");
    const values = await readFirst(kafka, topic, stored.length + 1);
    assert.deepEqual(
      values.filter((value) => stored.includes(value ?? "")),
      stored,
    );
    assert.equal(values.at(-1), "later");
  });
});

describe("a cluster that takes something away", { skip: missing ?? false }, () => {
  let broker: Broker;
  before(async () => {
    const config = { "connections.max.reauth.ms": "1500", "auto.create.topics.enable": "false" };
    broker = await startBroker({ secure: true, config });
  });
  after(() => broker?.stop());

  test("a topic that is deleted while it is written is named; made again, it is used again", async (t) => {
    const kafka = await open(t, broker.bootstrap);
    const topic = await newTopic(kafka);
    const producer = kafka.producer({ clientId: "writer", config: impatient });
    const reader = kafka.partitionReader({ clientId: "reader" });
    reader.assign([{ topic, partition: 0, offset: 0 }]);
    assert.ok("at" in (await produce(producer, [{ topic, value: "before" }]))[0]!);
    assert.equal(recordsOf(await reader.poll(10_000))[0]?.value, "before");
    await kafka.admin.deleteTopic(topic);
    const told = failure((await produce(producer, [{ topic, value: "gone" }]))[0]);
    assert.match(told, new RegExp(`topic ${topic}`));
    assert.match(told, /UNKNOWN_TOPIC_OR_PARTITION/);
    // The reader waits: it may come back.
    assert.deepEqual(await reader.poll(300), []);
    const again = { name: topic, partitionCount: 1, replicationFactor: 1, config: {} };
    await waitFor(() => kafka.admin.createTopic(again).catch(() => false), { withinMs: 20_000 });
    const patient = kafka.producer({ clientId: "patient", config: { "linger.ms": "0" } });
    assert.ok("at" in (await produce(patient, [{ topic, value: "again" }]))[0]!);
    assert.deepEqual(await readFirst(kafka, topic, 1), ["again"]);
  });

  test("a login that ends is told to writers and members, without the password", async (t) => {
    const admin = await open(t, broker.bootstrap);
    const topic = await newTopic(admin);
    const user = "org.apache.kafka.common.security.scram.ScramLoginModule required";
    const kafka = await open(t, broker.secureBootstrap("SASL_PLAINTEXT"), {
      "security.protocol": "SASL_PLAINTEXT",
      "sasl.mechanism": "SCRAM-SHA-512",
      "sasl.jaas.config": `${user} username="bob" password="${saslUsers.bob}";`,
    });
    const producer = kafka.producer({ clientId: "writer", config: impatient });
    assert.ok("at" in (await produce(producer, [{ topic, value: "before" }]))[0]!);
    const nothing = async () => {};
    const consumer = kafka.sinkConsumer({
      clientId: "member",
      groupId: uniqueName("g"),
      topics: [topic],
      autoOffsetReset: "earliest",
      listener: { assigned: nothing, revoked: nothing, lost: nothing },
    });
    await waitFor(async () => (await consumer.poll(500)).length > 0, { withinMs: 20_000 });
    await askScramUser(broker.ports.internal, "bob", "SCRAM-SHA-512", undefined);
    let told = "";
    await waitFor(
      async () => {
        const [outcome] = await produce(producer, [{ topic, partition: 0, value: "after" }]);
        if (outcome !== undefined && "error" in outcome) told = failure(outcome);
        return told !== "";
      },
      { withinMs: 20_000, what: "the login to end", everyMs: 100 },
    );
    let polled: unknown;
    await waitFor(
      () =>
        consumer.poll(500).then(
          () => false,
          (error: unknown) => {
            polled = error;
            return true;
          },
        ),
      { withinMs: 20_000, what: "a poll that fails" },
    );
    for (const text of [told, errorTrace(polled)]) {
      assert.match(text, /127\.0\.0\.1:\d+/);
      assert.match(text, /SASL_AUTHENTICATION_FAILED|[Aa]uthentication failed/);
      assert.doesNotMatch(text, new RegExp(saslUsers.bob));
    }
    assert.match(told, new RegExp(`topic ${topic}`));
  });
});
