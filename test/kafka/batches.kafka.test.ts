/** Our record batches and Java's: each reads what the other wrote, whatever the codec. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { attribute, type BatchHeader } from "../../src/batch/batch-header.ts";
import type { CodecName } from "../../src/batch/codec.ts";
import { codecId, compressionOf } from "../../src/batch/compression.ts";
import { BatchBuilder } from "../../src/batch/encode.ts";
import { openBatches } from "../../src/batch/open-batches.ts";
import type { Connections, Transport } from "../../src/kafka/calls.ts";
import { createTopics } from "../../src/kafka/protocol/create-topics.ts";
import { fetch } from "../../src/kafka/protocol/fetch.ts";
import { initProducerId } from "../../src/kafka/protocol/init-producer-id.ts";
import { produce } from "../../src/kafka/protocol/produce.ts";
import { createTransport } from "../../src/kafka/transport.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { repository } from "../harness/host-process.ts";
import { sharedKafka, uniqueName } from "../harness/kafka/broker.ts";
import { javaProgram } from "../harness/kafka/java-tool.ts";
import { waitFor } from "../harness/wait-for.ts";
import { appendAll, lineOf, linesIn, trickyRecords } from "./record-lines.ts";

const { bootstrap, missing } = await sharedKafka();
const program = join(repository, "test", "kafka", "BatchRecords.java");
const codecs: (CodecName | "none")[] = ["none", "gzip", "snappy", "lz4", "zstd"];
/** Few go through at once, many in another thread and with more than one block. */
const records = trickyRecords(3_000);
const few = records.slice(0, 8);

describe("record batches and a real broker", { skip: missing ?? false }, () => {
  let transport: Transport;
  let connections: Connections;

  before(async () => {
    const bootstrapServers = bootstrap.split(",");
    const options = { clientId: "batches", config: {}, logger: silentLogger() };
    transport = await createTransport({ ...options, bootstrapServers });
    connections = transport.connections(options);
  });
  after(() => transport?.close());

  async function makeTopic(name: string, config: Record<string, string> = {}): Promise<string> {
    const topic = { name, partitionCount: 1, replicationFactor: 1, config };
    await connections.call({ at: "controller" }, createTopics, {
      topics: [topic],
      timeoutMs: 20_000,
    });
    const hasLeader = async () => {
      await transport.map.refresh([name]);
      return (transport.map.topic(name)?.leaders[0] ?? -1) >= 0;
    };
    await waitFor(hasLeader, { withinMs: 20_000, what: `a leader of ${name}` });
    return name;
  }

  const leaderOf = (topic: string) =>
    ({ at: "node", node: transport.map.topic(topic)!.leaders[0]! }) as const;

  async function write(topic: string, batch: Uint8Array): Promise<number> {
    const { topics } = await connections.call(leaderOf(topic), produce, {
      transactionalId: null,
      acks: -1,
      timeoutMs: 20_000,
      topics: [{ topic, partitions: [{ partition: 0, batch }] }],
    });
    const { errorCode, errorMessage, baseOffset } = topics[0]!.partitions[0]!;
    assert.equal(errorCode, 0, `${topic}: ${errorMessage}`);
    return baseOffset;
  }

  async function newProducerId(): Promise<number> {
    let producerId = -1;
    const given = async () => {
      const request = { transactionalId: null, transactionTimeoutMs: 60_000 };
      const answer = await connections.call({ at: "any" }, initProducerId, request);
      // A broker that has just started has none to give for a while.
      if (answer.errorCode !== 14) assert.equal(answer.errorCode, 0);
      producerId = answer.producerId;
      return answer.errorCode === 0;
    };
    await waitFor(given, { withinMs: 20_000, what: "a producer id" });
    return producerId;
  }

  /** Everything of the partition, and the codecs that its batches have. */
  async function read(topic: string, end: number) {
    const lines: string[] = [];
    const ids = new Set<number>();
    const keeps = ({ attributes }: BatchHeader) => {
      ids.add(attributes & attribute.compression);
      return true;
    };
    for (let offset = 0; offset < end; ) {
      const { partitions } = await connections.call(leaderOf(topic), fetch, {
        maxWaitMs: 1_000,
        minBytes: 1,
        maxBytes: 1_000_000,
        readCommitted: true,
        partitions: [{ topic, partition: 0, leaderEpoch: -1, offset, maxBytes: 1_000_000 }],
      });
      const run = { source: topic, firstOffset: offset, keeps };
      const opened = await openBatches(partitions[0]!.records, run);
      assert.ok(opened.nextOffset > offset, "nothing came");
      lines.push(...linesIn(opened));
      offset = opened.nextOffset;
    }
    return { lines, ids: [...ids] };
  }

  const idOf = (codec: CodecName | "none") => (codec === "none" ? 0 : codecId({ codec }));

  test("Java reads what we wrote with each codec, to the last header", async () => {
    const topics: string[] = [];
    for (const codec of codecs) {
      const topic = await makeTopic(uniqueName(`ours-${codec}`));
      topics.push(topic);
      for (const part of [few, records.slice(few.length)]) {
        const builder = new BatchBuilder();
        appendAll(builder, part);
        const compression = compressionOf({ "compression.type": codec });
        if (compression !== undefined) await builder.compress(compression);
        await write(topic, builder.finish(0));
      }
    }
    const { stdout } = await javaProgram(program, ["read", bootstrap, ...topics]);
    const lines = stdout.trimEnd().split("\n");
    assert.equal(lines.length, records.length * topics.length);
    for (const [n, line] of lines.entries()) {
      const offset = n % records.length;
      const topic = topics[(n - offset) / records.length]!;
      // Sentence by sentence, because a difference of all lines takes minutes to print.
      if (line !== `${topic} ${offset} ${lineOf(records[offset]!)}`)
        assert.fail(`${topic}: ${line}`);
    }
  });

  test("we read what Java wrote with each codec, to the last header", async () => {
    const topics: string[] = [];
    for (const codec of codecs) topics.push(await makeTopic(uniqueName(`java-${codec}`)));
    const named = codecs.map((codec, n) => `${topics[n]}=${codec}`);
    const input = records.map((record) => `${lineOf(record)}\n`).join("");
    await javaProgram(program, ["write", bootstrap, ...named], { input });
    for (const [n, codec] of codecs.entries()) {
      const { lines, ids } = await read(topics[n]!, records.length);
      assert.deepEqual(ids, [idOf(codec)], "what the batches are compressed with");
      assert.equal(lines.length, records.length);
      for (const [offset, line] of lines.entries()) {
        if (line !== `${offset} ${lineOf(records[offset]!)}`) assert.fail(`${codec}: ${line}`);
      }
    }
  });

  test("a batch that was split is taken as two, with sequences that follow each other", async () => {
    const topic = await makeTopic(uniqueName("split"));
    const [first, second] = [new BatchBuilder(), new BatchBuilder()];
    appendAll(first, records);
    const stay = first.splitInto(second);
    await second.compress({ codec: "zstd" });
    const id = await newProducerId();
    const one = first.finish(0, { producer: { id, epoch: 0, baseSequence: 0 } });
    const two = second.finish(0, { producer: { id, epoch: 0, baseSequence: stay } });
    assert.equal(await write(topic, one), 0);
    assert.equal(await write(topic, two), stay);
    assert.equal(await write(topic, two), stay, "the same bytes again are known");
    const { lines } = await read(topic, records.length);
    assert.deepEqual(
      lines,
      records.map((record, n) => `${n} ${lineOf(record)}`),
    );
  });

  test("the time of the log is read as every record's time, compressed or not", async () => {
    const topic = await makeTopic(uniqueName("append-time"), {
      "message.timestamp.type": "LogAppendTime",
    });
    const beforeMs = Date.now();
    for (const codec of codecs) {
      const builder = new BatchBuilder();
      appendAll(builder, few);
      if (codec !== "none") await builder.compress({ codec });
      await write(topic, builder.finish(0));
    }
    const { lines } = await read(topic, few.length * codecs.length);
    assert.equal(lines.length, few.length * codecs.length);
    for (const line of lines) assert.ok(Number(line.split(" ")[1]) >= beforeMs, line);
  });
});
