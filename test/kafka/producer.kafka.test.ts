/** The producer against a real broker, through a proxy that does to it what networks do. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { deferred } from "../../src/base/deferred.ts";
import { RecordCursor } from "../../src/batch/decode.ts";
import type { Transport } from "../../src/kafka/calls.ts";
import type { ClientConfig } from "../../src/kafka/kafka.ts";
import { KafkaProducer } from "../../src/kafka/producer/producer.ts";
import type { Api } from "../../src/kafka/protocol/api.ts";
import { createTopics } from "../../src/kafka/protocol/create-topics.ts";
import type { ProduceResponse } from "../../src/kafka/protocol/produce.ts";
import { KafkaPartitionReader } from "../../src/kafka/reader/partition-reader.ts";
import { createTransport } from "../../src/kafka/transport.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { newRecordSlice } from "../../src/record/record-slice.ts";
import { type Broker, startBroker, uniqueName } from "../harness/kafka/broker.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { waitFor } from "../harness/wait-for.ts";

const { missing } = await kafkaJars();

const produceKey = 0;

/** Sets how many bytes a second a client may write; answers the code. */
const alterQuota: Api<{ clientId: string; bytesASecond: number }, number> = {
  key: 49,
  name: "AlterClientQuotas",
  versions: { min: 0, max: 0 },
  write(to, { clientId, bytesASecond }) {
    to.array([clientId], (name) => {
      to.array([name], (value) => {
        to.string("client-id");
        to.string(value);
      });
      to.array(["producer_byte_rate"], (key) => {
        const value = Buffer.alloc(8);
        value.writeDoubleBE(bytesASecond);
        to.string(key);
        to.raw(value);
        to.bool(false);
      });
    });
    to.bool(false);
  },
  read(from) {
    from.int32();
    const [code = -1] = from.array(() => {
      const each = from.int16();
      from.nullableString();
      from.array(() => [from.string(), from.nullableString()]);
      return each;
    });
    return code;
  },
};

/** What became of one record. */
interface Told {
  readonly value: string;
  readonly offset: number | undefined;
  readonly error: Error | undefined;
}

/** Writes texts and remembers what it was told. */
class Writer {
  readonly producer: KafkaProducer;
  readonly told: Told[] = [];
  readonly #record = newRecordSlice();
  readonly #values: string[] = [];
  readonly #topic: string;

  constructor(transport: Transport, topic: string, config: ClientConfig, clientId = "writer") {
    this.#topic = topic;
    this.producer = new KafkaProducer(
      { clientId, config: { "linger.ms": "0", "retry.backoff.ms": "50", ...config } },
      { transport, logger: silentLogger() },
    );
  }

  send(value: string, options: { partition?: number; timestampMs?: number } = {}): void {
    const record = this.#record;
    record.topic = this.#topic;
    record.partition = options.partition ?? -1;
    record.timestampMs = options.timestampMs ?? -1;
    const bytes = Buffer.from(value);
    Object.assign(record.value, { bytes, start: 0, end: bytes.length });
    const tell = (index: number | undefined, offset?: number, error?: Error) =>
      this.told.push({ value: this.#values[index ?? -1] ?? "", offset, error });
    this.producer.send(
      record,
      {
        stored: (indexes, from, to, { baseOffset }) => {
          for (let n = from; n < to; n += 1) {
            tell(indexes[n], baseOffset === -1 ? -1 : baseOffset + n - from);
          }
        },
        failed: (indexes, from, to, error) => {
          for (let n = from; n < to; n += 1) tell(indexes[n], undefined, error);
        },
      },
      this.#values.push(value) - 1,
    );
  }

  get sent(): readonly string[] {
    return this.#values;
  }

  get errors(): string[] {
    return this.told.flatMap(({ error }) => (error === undefined ? [] : [error.message]));
  }
}

describe("a producer on a real cluster", { skip: missing ?? false }, () => {
  let broker: Broker;
  let transport: Transport;
  before(async () => {
    broker = await startBroker({ proxied: true });
    const config = { "reconnect.backoff.ms": "20", "retry.backoff.ms": "50" };
    const bootstrapServers = [broker.bootstrap];
    const logger = silentLogger();
    transport = await createTransport({ bootstrapServers, config, clientId: "test", logger });
  });
  afterEach(() => {
    broker.proxy.heal();
    if (broker.isFrozen) broker.thaw();
  });
  after(async () => {
    await transport?.close();
    await broker?.stop();
  });

  async function newTopic(
    what: string,
    config: Record<string, string> = {},
    partitionCount = 1,
  ): Promise<string> {
    const name = uniqueName(what);
    const connections = transport.connections({ clientId: "admin" });
    const topic = { name, partitionCount, replicationFactor: 1, config };
    const request = { topics: [topic], timeoutMs: 10_000 };
    const answer = await connections.call({ at: "controller" }, createTopics, request);
    assert.equal(answer.topics[0]?.errorCode, 0);
    await connections.close();
    return name;
  }

  /** The values of a partition by offset, as many as there should be and whatever comes beyond. */
  async function values(topic: string, count: number, partition = 0): Promise<string[]> {
    const parts = { transport, logger: silentLogger() };
    const reader = new KafkaPartitionReader({ clientId: "look" }, parts);
    reader.assign([{ topic, partition, offset: 0 }]);
    const found: string[] = [];
    const cursor = new RecordCursor();
    await waitFor(
      async () => {
        const fetched = await reader.poll(200);
        for (const run of fetched) {
          cursor.reset(run);
          while (cursor.next()) {
            const { bytes, valueStart, valueEnd } = cursor;
            found.push(Buffer.from(bytes.subarray(valueStart, valueEnd)).toString());
          }
        }
        return fetched.length === 0 && found.length >= count;
      },
      { withinMs: 20_000, what: `${count} records of ${topic}`, everyMs: 1 },
    );
    await reader.close();
    return found;
  }

  /** Everything sent is there once, in order, at the offsets that were told. */
  async function assertAllOnce(writer: Writer, topic: string): Promise<void> {
    assert.deepEqual(writer.errors, []);
    assert.equal(writer.told.length, writer.sent.length);
    const stored = await values(topic, writer.sent.length);
    assert.deepEqual(stored, writer.sent);
    for (const { value, offset } of writer.told) assert.equal(stored[offset ?? -1], value);
  }

  for (const compression of ["none", "gzip", "snappy", "lz4", "zstd"]) {
    test(`the broker takes what is compressed with ${compression}, and makes the topic`, async () => {
      const topic = uniqueName(compression);
      const writer = new Writer(transport, topic, { "compression.type": compression });
      for (let n = 0; n < 500; n += 1) writer.send(`{"number":${n},"text":"again and again"}`);
      await writer.producer.flush();
      await assertAllOnce(writer, topic);
      await writer.producer.close(1_000);
    });
  }

  for (const acks of ["0", "1"]) {
    test(`acks=${acks} is told at once or by the leader alone`, async () => {
      const topic = await newTopic(`acks-${acks}`);
      const writer = new Writer(transport, topic, { acks });
      for (let n = 0; n < 10; n += 1) writer.send(`v${n}`);
      await writer.producer.flush();
      assert.deepEqual(writer.errors, []);
      assert.equal(writer.told[3]?.offset, acks === "0" ? -1 : 3);
      assert.deepEqual(await values(topic, 10), writer.sent);
      await writer.producer.close(1_000);
    });
  }

  test("answers that are lost, five requests in flight, store nothing twice", async () => {
    const topic = await newTopic("lost");
    const writer = new Writer(transport, topic, { "batch.size": "200" });
    const lost = broker.proxy.loseAnswers(produceKey, { count: 3 });
    for (let n = 0; n < 300; n += 1) {
      writer.send(`v${n}`);
      if (n % 20 === 0) await new Promise(setImmediate);
    }
    await writer.producer.flush();
    await lost;
    await assertAllOnce(writer, topic);
    await writer.producer.close(1_000);
  });

  test("a broker that is frozen for longer than the request time-out stores nothing twice", async () => {
    const topic = await newTopic("frozen");
    const writer = new Writer(transport, topic, { "request.timeout.ms": "700" });
    writer.send("before");
    await writer.producer.flush();
    await broker.freeze();
    for (let n = 0; n < 50; n += 1) writer.send(`v${n}`);
    const { open } = broker.proxy;
    await waitFor(() => broker.proxy.open < open, {
      withinMs: 20_000,
      what: "the connection to be given up",
    });
    broker.thaw();
    await writer.producer.flush();
    await assertAllOnce(writer, topic);
    await writer.producer.close(1_000);
  });

  test("a broker that is killed and started again under load loses nothing", async () => {
    const topic = await newTopic("killed");
    const writer = new Writer(transport, topic, { "batch.size": "2000" });
    const stop = deferred();
    let isStopping = false;
    const load = (async () => {
      for (let n = 0; !isStopping; n += 1) {
        await writer.producer.room();
        for (let k = 0; k < 20; k += 1) writer.send(`v${n}-${k}`);
        await sleep(2);
      }
      stop.resolve();
    })();
    await waitFor(() => writer.told.length > 200, { withinMs: 20_000 });
    await broker.kill();
    await broker.start();
    const before = writer.told.length;
    await waitFor(() => writer.told.length > before + 200, { withinMs: 30_000 });
    isStopping = true;
    await Promise.all([stop.promise, load]);
    await writer.producer.flush();
    await assertAllOnce(writer, topic);
    await writer.producer.close(1_000);
  });

  test("a batch over the topic's limit is split; a record over it is told with the limit", async () => {
    const topic = await newTopic("large", { "max.message.bytes": "2000" });
    const writer = new Writer(transport, topic, {});
    for (let n = 0; n < 300; n += 1) writer.send(`value number ${n} of a batch that is too large`);
    await writer.producer.flush();
    await assertAllOnce(writer, topic);
    const small = writer.sent.length;
    writer.send("x".repeat(3_000));
    writer.send("after it");
    await writer.producer.flush();
    const [error] = writer.errors;
    assert.match(error ?? "", new RegExp(`partition 0 of topic ${topic} at 127.0.0.1:\\d+`));
    assert.match(error ?? "", /is 30\d\d bytes as a batch, more than 2000 .*MESSAGE_TOO_LARGE/);
    assert.equal(writer.told.at(-1)?.offset, small);
    await writer.producer.close(1_000);
  });

  test("after records that are refused for good, the sequence goes on under a new epoch", async () => {
    const topic = await newTopic("refused", { "message.timestamp.after.max.ms": "60000" });
    const writer = new Writer(transport, topic, {});
    writer.send("first");
    await writer.producer.flush();
    writer.send("from the future", { timestampMs: Date.now() + 3_600_000 });
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    writer.send("second");
    await writer.producer.flush();
    assert.match(writer.errors[0] ?? "", /INVALID_TIMESTAMP \(record 0: /);
    assert.equal(writer.errors.length, 1);
    assert.deepEqual(await values(topic, 2), ["first", "second"]);
    await writer.producer.close(1_000);
  });

  test("a quota of the client is kept without an error and without asking in vain", async () => {
    const topic = await newTopic("quota");
    const clientId = uniqueName("slow");
    const bytesASecond = 20_000;
    const admin = transport.connections({ clientId: "admin" });
    const quota = { clientId, bytesASecond };
    assert.equal(await admin.call({ at: "any" }, alterQuota, quota), 0);
    await admin.close();
    let requests = 0;
    let throttleMs = 0;
    const watched: Transport = {
      clusterId: transport.clusterId,
      map: transport.map,
      connections(options) {
        const connections = transport.connections(options);
        const call = connections.call.bind(connections);
        connections.call = async (to, api, request, given) => {
          const answer = await call(to, api, request, given);
          if (api.key !== produceKey) return answer;
          requests += 1;
          throttleMs += (answer as ProduceResponse).throttleMs;
          return answer;
        };
        return connections;
      },
      close: async () => {},
    };
    const writer = new Writer(watched, topic, {}, clientId);
    const beganMs = performance.now();
    // Brokers look at some ten seconds at a time: so much is free in the beginning. One request a round,
    // until the broker has asked for quiet and been given it.
    let rounds = 0;
    while (throttleMs < 1_000) {
      rounds += 1;
      writer.send("x".repeat(16_000));
      await writer.producer.flush();
      assert.ok(rounds < 200, `no quiet was asked for after ${rounds} requests`);
    }
    writer.send("last");
    await writer.producer.flush();
    assert.ok(performance.now() - beganMs >= 1_000);
    assert.deepEqual(writer.errors, []);
    assert.equal(requests, rounds + 1);
    await writer.producer.close(1_000);
  });

  test("a partition that does not exist, and a topic that may not", async () => {
    const topic = await newTopic("partitions", {}, 2);
    const writer = new Writer(transport, topic, {});
    writer.send("here", { partition: 1 });
    writer.send("nowhere", { partition: 2 });
    await writer.producer.flush();
    assert.deepEqual(writer.errors, [
      `cannot write a record to partition 2 of topic ${topic}: it has 2, the first is 0`,
    ]);
    const invalid = new Writer(transport, "not a topic!", {});
    invalid.send("x");
    await invalid.producer.flush();
    assert.match(
      invalid.errors[0] ?? "",
      /^cannot use topic "not a topic!": its name has a character/,
    );
    await invalid.producer.close(1_000);
    await writer.producer.close(1_000);
  });
});
