/** The dead letters of a task over a log, and the records that they are made of. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordCursor } from "../../src/batch/decode.ts";
import type { Kafka } from "../../src/kafka/kafka.ts";
import { type DeadLetter, letterErrorOf } from "../../src/task/dead-letter.ts";
import { DeadLetterQueue } from "../../src/task/dead-letter-queue.ts";
import { OriginalRecords } from "../../src/task/original-record.ts";
import type { TaskParts } from "../../src/task/task.ts";
import { fill, readAll } from "../harness/embedded-log.ts";
import { leaseOf, taskParts, taskSpec } from "../harness/task-parts.ts";
import { type LogPort, newTopic } from "./log-port.ts";

const step = { stage: "VALUE_CONVERTER", className: "JsonConverter" };

function letterOf(topic: string, offset: number, over: Partial<DeadLetter> = {}): DeadLetter {
  const original = { topic, partition: 0, offset };
  return {
    ...step,
    original,
    timestampMs: 1_700_000_000_000,
    key: Buffer.from(`k${offset}`),
    value: Buffer.from(`v${offset}`),
    headers: [],
    error: letterErrorOf(new Error("broken"), { ...step, original }),
    ...over,
  };
}

function taskOver(kafka: Kafka, config: Record<string, string>) {
  const errors: string[] = [];
  const parts: TaskParts = { ...taskParts(leaseOf({}), kafka), kafka };
  const logger = Object.create(parts.logger) as { error: unknown };
  logger.error = (first: unknown, second?: string) => errors.push(second ?? String(first));
  const spec = { ...taskSpec("sink"), connectorConfig: { topics: "t", ...config } };
  return { spec, parts: { ...parts, logger: logger as TaskParts["logger"] }, errors };
}

const key = (name: string) => `errors.deadletterqueue.${name}`;

export function testDeadLetters(port: LogPort): void {
  test("dead letters go to a topic of one partition that is made when the task starts", async (t) => {
    const kafka = await port.open(t);
    const topic = port.nameOf("letters");
    const config = {
      [key("topic.name")]: topic,
      [key("topic.replication.factor")]: "1",
      [key("context.headers.enable")]: "true",
    };
    const { spec, parts, errors } = taskOver(kafka, config);
    const queue = await DeadLetterQueue.open(spec, parts);
    assert.ok(queue !== undefined);
    t.after(() => queue.close());
    assert.deepEqual(errors, [`Topic ${topic} doesn't exist. Will attempt to create topic.`]);
    assert.equal((await kafka.admin.describeTopic(topic))?.partitionCount, 1);
    const told: unknown[] = [];
    queue.write(letterOf("orders", 0), (error) => told.push(error));
    queue.write(letterOf("orders", 1, { key: null, value: null }), (error) => told.push(error));
    await queue.settled([{ topic: "orders", partition: 0 }]);
    assert.deepEqual(told, [undefined, undefined]);
    assert.equal(queue.pendingCount, 0);
    assert.equal(parts.meter.deadLetterProduceRequests, 2);
    assert.equal(parts.meter.deadLetterProduceFailures, 0);
    const records = (await readAll(kafka, topic)).map((one) => [one.key, one.value]);
    assert.deepEqual(records, [
      ["k0", "v0"],
      [null, null],
    ]);
    // What is there already is used as it is, and no one is told of it.
    const again = taskOver(kafka, config);
    await (await DeadLetterQueue.open(again.spec, again.parts))?.close();
    assert.deepEqual(again.errors, []);
  });

  test("a letter that cannot be stored is told, counted, and holds back its own partition only", async (t) => {
    const kafka = await port.open(t);
    const topic = port.nameOf("letters");
    const { spec, parts, errors } = taskOver(kafka, {
      [key("topic.name")]: topic,
      [key("topic.replication.factor")]: "1",
    });
    const queue = await DeadLetterQueue.open(spec, parts);
    assert.ok(queue !== undefined);
    t.after(() => queue.close());
    const told: (Error | undefined)[] = [];
    const value = Buffer.alloc(3 * 1_048_576);
    queue.write(letterOf("orders", 5, { value }), (error) => told.push(error));
    queue.write(letterOf("others", 6), (error) => told.push(error));
    await queue.settled([{ topic: "others", partition: 0 }]);
    const failed = { code: "task.dead_letter_failed" };
    await assert.rejects(queue.settled([{ topic: "orders", partition: 0 }]), failed);
    await assert.rejects(queue.settled(), failed);
    assert.equal(told.filter((one) => one instanceof Error).length, 1);
    assert.equal(parts.meter.deadLetterProduceFailures, 1);
    assert.deepEqual(errors.slice(1), [
      `Could not produce message to dead letter queue. topic=${topic}`,
    ]);
    queue.forget([{ topic: "orders", partition: 0 }]);
    await queue.settled();
  });

  test("a task whose topic for dead letters cannot be made fails with the topic's name", async (t) => {
    const kafka = await port.open(t);
    const { spec, parts } = taskOver(kafka, {
      [key("topic.name")]: "not a topic's name",
      [key("topic.replication.factor")]: "1",
    });
    await assert.rejects(DeadLetterQueue.open(spec, parts), {
      code: "task.dead_letter_topic",
      message: "Could not initialize dead letter queue with topic=not a topic's name",
    });
  });

  test("a record is found again by its place, in any order", async (t) => {
    const kafka = await port.open(t);
    const topic = await newTopic(port, kafka);
    await fill(kafka, topic, ["a", ["k", "b"], ["k", null], "d"]);
    const { spec, parts } = taskOver(kafka, {});
    const originals = new OriginalRecords(spec, parts);
    t.after(() => originals.close());
    const { signal } = new AbortController();
    const find = async (offset: number) => {
      const found = await originals.find({ topic, partition: 0, offset }, signal);
      const text = (bytes: Uint8Array | null) => bytes && Buffer.from(bytes).toString();
      return found && [text(found.key), text(found.value)];
    };
    assert.deepEqual(await find(1), ["k", "b"]);
    assert.deepEqual(await find(0), [null, "a"]);
    assert.deepEqual(await find(2), ["k", null]);
    assert.deepEqual(await find(3), [null, "d"]);
    await fill(kafka, topic, ["e"]);
    assert.deepEqual(await find(4), [null, "e"]);
  });

  test("the context headers of a dead letter arrive in order behind the record's own", async (t) => {
    const kafka = await port.open(t);
    const topic = port.nameOf("letters");
    const { spec, parts } = taskOver(kafka, {
      [key("topic.name")]: topic,
      [key("topic.replication.factor")]: "1",
      [key("context.headers.enable")]: "true",
    });
    const queue = await DeadLetterQueue.open(spec, parts);
    assert.ok(queue !== undefined);
    t.after(() => queue.close());
    const headers = [{ name: Buffer.from("own"), value: Buffer.from("1") }];
    queue.write(letterOf("orders", 4, { headers }));
    await queue.settled();
    const names = await headerNames(kafka, topic);
    assert.equal(names[0], "own");
    assert.deepEqual(
      names.slice(1).map((name) => name.replace("__connect.errors.", "")),
      [
        ...["topic", "partition", "offset", "connector.name", "task.id", "stage", "class.name"],
        ...["exception.class.name", "exception.message", "exception.stacktrace"],
      ],
    );
  });
}

async function headerNames(kafka: Kafka, topic: string): Promise<string[]> {
  const reader = kafka.partitionReader({ clientId: "read-headers" });
  reader.assign([{ topic, partition: 0, offset: 0 }]);
  const cursor = new RecordCursor();
  const deadlineMs = performance.now() + 20_000;
  for (;;) {
    for (const fetched of await reader.poll(1_000)) {
      cursor.reset(fetched);
      if (!cursor.next()) continue;
      const { headers, headerCount } = cursor;
      const names = headers.slice(0, headerCount).map(({ name }) => Buffer.from(name).toString());
      await reader.close();
      return names;
    }
    if (performance.now() > deadlineMs) throw new Error(`nothing in ${topic}`);
  }
}
