/** What whoever writes and reads records relies on, whatever log is behind the port. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostError } from "../../src/base/error.ts";
import { RecordCursor } from "../../src/batch/decode.ts";
import type { Kafka } from "../../src/kafka/kafka.ts";
import { newRecordSlice } from "../../src/record/record-slice.ts";
import { fill, type PlainRecord, produce, readAll, recordsOf } from "../harness/embedded-log.ts";
import { type LogPort, newTopic } from "./log-port.ts";

const numbers = (count: number) => Array.from({ length: count }, (_, n) => String(n));
const codecs = ["none", "gzip", "snappy", "lz4", "zstd"];

/** Defines the tests of one form of the port. */
export function testRecords(port: LogPort): void {
  test("records come back in order with keys, values and nulls", async (t) => {
    const kafka = await port.open(t);
    const topic = await newTopic(port, kafka);
    await fill(kafka, topic, [["a", "1"], ["b", null], "3"]);
    assert.deepEqual(
      (await readAll(kafka, topic)).map(({ offset, key, value }) => [offset, key, value]),
      [
        [0, "a", "1"],
        [1, "b", null],
        [2, null, "3"],
      ],
    );
    assert.match(kafka.clusterId, /^[\w-]{22}$/);
  });

  test("I7: each record has one outcome with its own offset, whatever batch it went in", async (t) => {
    const kafka = await port.open(t);
    const topic = await newTopic(port, kafka);
    const producer = kafka.producer({ clientId: "p", config: { "batch.size": "200" } });
    const outcomes = await produce(
      producer,
      numbers(500).map((value) => ({ topic, value })),
    );
    assert.deepEqual(
      outcomes.map((outcome) => ("offset" in outcome ? outcome.offset : outcome.error)),
      numbers(500).map(Number),
    );
    assert.deepEqual(
      (await readAll(kafka, topic)).map(({ value }) => value),
      numbers(500),
    );
  });

  for (const codec of codecs) {
    test(`records compressed with ${codec} come back, also from the middle of a batch`, async (t) => {
      const kafka = await port.open(t);
      const topic = await newTopic(port, kafka);
      const config = { "compression.type": codec, "linger.ms": "20" };
      const producer = kafka.producer({ clientId: "p", config });
      await produce(
        producer,
        numbers(100).map((value) => ({ topic, key: "k", value: `${value} ${"x".repeat(50)}` })),
      );
      for (const from of [0, 1, 57, 99, 100]) {
        const read = await readAll(kafka, topic, { from });
        const expected = numbers(100).slice(from);
        assert.deepEqual(
          read.map(({ value }) => value?.split(" ")[0]),
          expected,
          `from ${from}`,
        );
      }
    });
  }

  test("headers keep their order, their repeats and their nulls", async (t) => {
    const kafka = await port.open(t);
    const topic = await newTopic(port, kafka);
    const headers = [
      ["a", "1"],
      ["b", null],
      ["a", "2"],
      ["", "empty name"],
    ] as const;
    await sendWithHeaders(kafka, topic, headers);
    assert.deepEqual(await headersOf(kafka, topic), headers);
  });

  test("keys choose the partition that Kafka's clients choose", async (t) => {
    const kafka = await port.open(t);
    const topic = await newTopic(port, kafka, { partitionCount: 7 });
    // toPositive(murmur2(key)) % 7 with the hashes of Kafka's own test.
    const hashes = [
      ["21", -973932308],
      ["foobar", -790332482],
      ["abc", 479470107],
    ] as const;
    await fill(
      kafka,
      topic,
      hashes.map(([key]) => [key, "x"]),
    );
    for (const [key, hash] of hashes) {
      const records = await readAll(kafka, topic, { partition: (hash & 0x7fffffff) % 7 });
      assert.ok(
        records.some((record) => record.key === key),
        key,
      );
    }
  });

  test("records without a key use all partitions in the course of time", async (t) => {
    const kafka = await port.open(t);
    const topic = await newTopic(port, kafka, { partitionCount: 3 });
    const producer = kafka.producer({ clientId: "p", config: { "batch.size": "100" } });
    const used = new Set<number>();
    for (let n = 0; n < 200 && used.size < 3; n++) {
      const [outcome] = await produce(producer, [{ topic, value: "x".repeat(100) }]);
      if (outcome !== undefined && "at" in outcome) used.add(outcome.at.partition);
    }
    assert.equal(used.size, 3);
  });

  test("what cannot be sent is refused or fails, with a reason", async (t) => {
    const kafka = await port.open(t);
    const topic = await newTopic(port, kafka);
    const producer = kafka.producer({ clientId: "p", config: { "max.request.size": "200" } });
    const send = (record: Parameters<typeof produce>[1][0]) => produce(producer, [record]);
    await send({ topic, value: "x" });
    await assert.rejects(send({ topic, value: "x".repeat(200) }), {
      name: "RecordError",
      code: "record.too_large",
      message: /is \d+ bytes when serialized which is larger than 200/,
    });
    const refusals: [PlainRecord, string, string][] = [
      [{ topic: "" }, "kafka.topic_invalid", 'cannot use topic "": its name is empty'],
      [{ topic: ".." }, "kafka.topic_invalid", 'cannot use topic "..": its name cannot be'],
      [{ topic: "a/b" }, "kafka.topic_invalid", 'cannot use topic "a/b": its name has a character'],
      [
        { topic, partition: 7 },
        "kafka.partition_not_found",
        `cannot write a record to partition 7 of topic ${topic}: it has 1, the first is 0`,
      ],
    ];
    for (const [record, code, says] of refusals) {
      const [outcome] = await send({ ...record, value: "x" });
      assert.ok(outcome !== undefined && "error" in outcome, says);
      assert.ok(outcome.error.message.startsWith(says), outcome.error.message);
      assert.equal((outcome.error as HostError).code, code);
    }
    assert.ok("offset" in (await send({ topic, value: "x" }))[0]!, "others go on");
    await producer.close(1_000);
    await assert.rejects(send({ topic, value: "x" }), { code: "kafka.producer_closed" });
  });

  test("I5: a full buffer makes the sender wait until there is room", async (t) => {
    const kafka = await port.open(t);
    const topic = await newTopic(port, kafka);
    const config = { "buffer.memory": "1000", "batch.size": "700" };
    const producer = kafka.producer({ clientId: "p", config });
    let stored = 0;
    const receipt = {
      stored: (_indexes: readonly number[], from: number, to: number) => {
        stored += to - from;
      },
      failed: (_indexes: readonly number[], _from: number, _to: number, error: Error) => {
        throw error;
      },
    };
    const record = { ...newRecordSlice(), topic };
    const bytes = Buffer.alloc(600);
    Object.assign(record.value, { bytes, start: 0, end: bytes.length });
    await producer.room();
    for (let n = 0; n < 3; n++) producer.send(record, receipt, n);
    assert.equal(stored, 0);
    await producer.room();
    assert.ok(stored > 0, "there is room only after something was stored");
    producer.send(record, receipt, 3);
    producer.send(record, receipt, 4);
    await producer.room(AbortSignal.abort());
    await producer.flush();
    assert.equal(stored, 5);
  });

  test("a reader waits for records and is woken by them, by its deadline and by its signal", async (t) => {
    const kafka = await port.open(t);
    const topic = await newTopic(port, kafka);
    const reader = kafka.partitionReader({ clientId: "r" });
    reader.assign([{ topic, partition: 0, offset: 0 }]);
    assert.deepEqual(await reader.poll(10), []);
    const stop = new AbortController();
    const stopped = reader.poll(60_000, stop.signal);
    stop.abort();
    assert.deepEqual(await stopped, []);
    const polled = reader.poll(60_000);
    await fill(kafka, topic, ["now"]);
    assert.deepEqual(
      recordsOf(await polled).map(({ value }) => value),
      ["now"],
    );
    await reader.close();
  });

  test("a reader of a missing topic reads it once it is there", async (t) => {
    const kafka = await port.open(t);
    const topic = port.nameOf("later");
    const reader = kafka.partitionReader({ clientId: "r" });
    reader.assign([{ topic, partition: 0, offset: 0 }]);
    const polled = reader.poll(60_000);
    await fill(kafka, topic, ["here"]);
    assert.deepEqual(
      recordsOf(await polled).map((record) => record.value),
      ["here"],
    );
    await reader.close();
  });

  test("a batch larger than one read is read whole", async (t) => {
    const kafka = await port.open(t);
    const topic = await newTopic(port, kafka, { config: { "max.message.bytes": "9000000" } });
    const config = { "max.request.size": "9000000", "batch.size": "8000000" };
    const producer = kafka.producer({ clientId: "p", config });
    await produce(producer, [
      { topic, value: "v".repeat(3_000_000) },
      { topic, value: "small" },
    ]);
    assert.deepEqual(
      (await readAll(kafka, topic)).map((record) => record.value?.length),
      [3_000_000, 5],
    );
  });

  test("writing to a topic that was deleted makes it anew", async (t) => {
    const kafka = await port.open(t);
    const topic = await newTopic(port, kafka);
    const producer = kafka.producer({ clientId: "p" });
    await produce(producer, [{ topic, value: "old" }]);
    await kafka.admin.deleteTopic(topic);
    const [outcome] = await produce(producer, [{ topic, value: "new" }]);
    assert.ok(outcome !== undefined && "offset" in outcome, "stored");
    assert.deepEqual(
      (await readAll(kafka, topic)).map(({ value }) => value),
      ["new"],
    );
  });

  test("topics are listed, made once, described and deleted", async (t) => {
    const kafka = await port.open(t);
    const topic = await newTopic(port, kafka, {
      partitionCount: 2,
      config: { "segment.bytes": "2097152" },
    });
    const again = { name: topic, partitionCount: 1, replicationFactor: -1, config: {} };
    assert.equal(await kafka.admin.createTopic(again), false);
    const described = await kafka.admin.describeTopic(topic);
    assert.equal(described?.partitionCount, 2);
    assert.equal(described?.config["segment.bytes"], "2097152");
    assert.equal(described?.config["cleanup.policy"], "delete");
    assert.ok((await kafka.admin.listTopics()).includes(topic));
    await kafka.admin.deleteTopic(topic);
    assert.equal(await kafka.admin.describeTopic(topic), undefined);
    assert.ok(!(await kafka.admin.listTopics()).includes(topic));
  });

  test("transactions are refused", async (t) => {
    const kafka = await port.open(t);
    const options = { clientId: "p", transactionalId: "t", transactionTimeoutMs: 1_000 };
    await assert.rejects(kafka.transactionalProducer(options), {
      name: "TaskError",
      code: "kafka.transactions_unsupported",
    });
  });

  test("closing the log ends whoever reads and writes", async (t) => {
    const kafka = await port.open(t);
    const topic = await newTopic(port, kafka);
    const producer = kafka.producer({ clientId: "p" });
    const reader = kafka.partitionReader({ clientId: "r" });
    reader.assign([{ topic, partition: 0, offset: 0 }]);
    const polled = reader.poll(60_000);
    await kafka.close();
    assert.deepEqual(await polled, []);
    await assert.rejects(produce(producer, [{ topic, value: "x" }]), {
      code: "kafka.producer_closed",
    });
  });
}

type Headers = readonly (readonly [name: string, value: string | null])[];

async function sendWithHeaders(kafka: Kafka, topic: string, headers: Headers): Promise<void> {
  const record = { ...newRecordSlice(), topic, headerCount: headers.length };
  record.headers = headers.map(([name, value]) => {
    const bytes = Buffer.from(value ?? "");
    return { name: Buffer.from(name), bytes, start: value === null ? -1 : 0, end: bytes.length };
  });
  const producer = kafka.producer({ clientId: "p" });
  let failure: Error | undefined;
  const failed = (_indexes: readonly number[], _from: number, _to: number, error: Error) => {
    failure = error;
  };
  producer.send(record, { stored() {}, failed }, 0);
  await producer.flush();
  await producer.close(1_000);
  if (failure !== undefined) throw failure;
}

async function headersOf(kafka: Kafka, topic: string): Promise<[string, string | null][]> {
  const reader = kafka.partitionReader({ clientId: "r" });
  reader.assign([{ topic, partition: 0, offset: 0 }]);
  const cursor = new RecordCursor();
  const found: [string, string | null][] = [];
  for (const fetched of await reader.poll(20_000)) {
    cursor.reset(fetched);
    while (cursor.next()) {
      for (const { name, bytes, start, end } of cursor.headers.slice(0, cursor.headerCount)) {
        const value = start < 0 ? null : Buffer.from(bytes.subarray(start, end)).toString();
        found.push([Buffer.from(name).toString(), value]);
      }
    }
  }
  await reader.close();
  return found;
}
