/**
 * One arm of the benchmark `kafka`, in a process of its own: `kafka-client.ts JSON` writes or reads that
 * many records with one client and prints what it took, as JSON. Time and CPU are taken from the first
 * fifth of the records on, so that neither the start nor the first compilation is in them.
 */
import { Kafka, logLevel, Partitioners } from "kafkajs";
import { RecordCursor } from "../../src/batch/decode.ts";
import { openKafka } from "../../src/kafka/open-kafka.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { newRecordSlice } from "../../src/record/record-slice.ts";

/** What the process is told. */
export interface ClientTask {
  readonly client: "bulkhead" | "kafkajs";
  readonly does: "produce" | "consume";
  readonly bootstrap: string;
  /** Of one partition; to read, it holds the records. */
  readonly topic: string;
  readonly records: number;
  readonly recordBytes: number;
  readonly recordsPerRequest: number;
  /** Bytes of that many records as one batch. */
  readonly batchBytes: number;
}

/** What the last four fifths of the records took. */
export interface ClientCost {
  readonly records: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** As many as our producer and Java's have on their way by default. */
const requestsInFlight = 5;
/** Records that are handed over before there is a look at the buffer: a message of a plugin. */
const sendsAtOnce = 500;

const task = JSON.parse(process.argv[2] ?? "{}") as ClientTask;
const payload = Buffer.alloc(task.recordBytes, "x");
const meter = { done: 0, atMs: 0, cpu: process.cpuUsage(), from: 0 };

await run();
console.log(JSON.stringify(costSoFar()));
// Groups are left and sockets closed on time that is nobody's.
process.exit(0);

function run(): Promise<void> {
  const { client, does } = task;
  if (does === "produce") return client === "bulkhead" ? produce() : kafkajsProduce();
  return client === "bulkhead" ? consume() : kafkajsConsume();
}

function passed(records: number): void {
  meter.done += records;
  if (meter.from > 0 || meter.done < task.records / 5) return;
  Object.assign(meter, { from: meter.done, atMs: performance.now(), cpu: process.cpuUsage() });
}

function costSoFar(): ClientCost {
  const { user, system } = process.cpuUsage(meter.cpu);
  return {
    records: meter.done - meter.from,
    seconds: (performance.now() - meter.atMs) / 1_000,
    cpuSeconds: (user + system) / 1_000_000,
  };
}

function port() {
  const logger = silentLogger();
  return openKafka({ bootstrapServers: task.bootstrap, config: {}, clientId: "bench", logger });
}

async function produce(): Promise<void> {
  const config = {
    "batch.size": String(task.batchBytes),
    "max.request.size": String(task.batchBytes + 1_000_000),
  };
  const producer = (await port()).producer({ clientId: "bench", config });
  const record = newRecordSlice();
  record.topic = task.topic;
  Object.assign(record.value, { bytes: payload, start: 0, end: payload.length });
  let failure: Error | undefined;
  const receipt = {
    stored: (_: unknown, from: number, to: number) => passed(to - from),
    failed: (_: unknown, from: number, to: number, error: Error) => {
      passed(to - from);
      failure = error;
    },
  };
  for (let sent = 0; sent < task.records; ) {
    await producer.room();
    const end = Math.min(task.records, sent + sendsAtOnce);
    for (; sent < end; sent += 1) producer.send(record, receipt, sent);
  }
  await producer.flush();
  if (failure !== undefined) throw failure;
}

async function consume(): Promise<void> {
  const reader = (await port()).partitionReader({ clientId: "bench" });
  reader.assign([{ topic: task.topic, partition: 0, offset: 0 }]);
  const cursor = new RecordCursor();
  let bytes = 0;
  while (meter.done < task.records) {
    for (const fetched of await reader.poll(10_000)) {
      cursor.reset(fetched);
      let count = 0;
      for (; cursor.next(); count += 1) bytes += cursor.valueEnd - cursor.valueStart;
      passed(count);
    }
  }
  checkBytes(bytes);
}

function kafkajs(): Kafka {
  return new Kafka({ brokers: [task.bootstrap], clientId: "bench", logLevel: logLevel.ERROR });
}

async function kafkajsProduce(): Promise<void> {
  const producer = kafkajs().producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  let left = task.records;
  // The same messages again and again: making them is not the client's work.
  const messages = Array.from({ length: task.recordsPerRequest }, () => ({ value: payload }));
  const send = async () => {
    while (left > 0) {
      const count = Math.min(left, messages.length);
      left -= count;
      const some = count === messages.length ? messages : messages.slice(0, count);
      await producer.send({ topic: task.topic, messages: some, acks: -1 });
      passed(count);
    }
  };
  await Promise.all(Array.from({ length: requestsInFlight }, send));
}

async function kafkajsConsume(): Promise<void> {
  const groupId = `${task.topic}-${process.pid}`;
  const consumer = kafkajs().consumer({ groupId });
  await consumer.connect();
  await consumer.subscribe({ topic: task.topic, fromBeginning: true });
  let bytes = 0;
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        eachBatch: async ({ batch: { messages } }) => {
          for (const { value } of messages) bytes += value?.length ?? 0;
          passed(messages.length);
          if (meter.done >= task.records) resolve();
        },
      })
      .catch(reject);
  });
  checkBytes(bytes);
}

function checkBytes(bytes: number): void {
  const expected = task.records * task.recordBytes;
  if (bytes !== expected) throw new Error(`read ${bytes} bytes of values, not ${expected}`);
}
