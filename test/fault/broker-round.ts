/**
 * One round of faults that befall brokers and the ways to them, one at a time, while a producer writes
 * numbered records and a member of a group reads and commits them. Used by `npm test` and `npm run chaos`.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { within } from "../../src/base/deadline.ts";
import { errorTrace } from "../../src/base/error.ts";
import type {
  ClientConfig,
  Fetched,
  Kafka,
  PartitionOffset,
  Producer,
  Receipt,
} from "../../src/kafka/kafka.ts";
import { openKafka } from "../../src/kafka/open-kafka.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { newRecordSlice } from "../../src/record/record-slice.ts";
import { recordsOf } from "../harness/embedded-log.ts";
import { type Broker, uniqueName } from "../harness/kafka/broker.ts";
import type { Cluster, ClusterOptions } from "../harness/kafka/cluster.ts";
import { randomFrom } from "../harness/random-data.ts";
import { waitFor } from "../harness/wait-for.ts";

const partitionCount = 3;
const produceKey = 0;
const offsetCommitKey = 8;
const requestMsMax = 1_500;
/** A broker may take a while to start on a busy machine; nothing may wait for ever. */
const faultMsMax = 60_000;

/** Connect's producer promises only that nothing acknowledged is lost; an idempotent one also "once". */
export const roundProducers: Readonly<Record<"idempotent" | "connect", ClientConfig>> = {
  idempotent: {},
  connect: {
    "enable.idempotence": "false",
    "max.in.flight.requests.per.connection": "1",
    "delivery.timeout.ms": "2147483647",
    "max.block.ms": "9223372036854775807",
  },
};

export const roundFaults = [
  "leader killed",
  "leader shut down",
  "leader frozen",
  "coordinator killed",
  "connections cut",
  "leader unreachable",
  "answers lost",
] as const;
export type RoundFault = (typeof roundFaults)[number];

/** Of the cluster that a round needs. */
export const roundClusterOptions: ClusterOptions = {
  proxied: true,
  config: { "group.initial.rebalance.delay.ms": "0" },
};

export interface BrokerRoundOptions {
  /** Of three, proxied, whole. */
  readonly cluster: Cluster;
  readonly producer: keyof typeof roundProducers;
  readonly seed: number;
  /** How many, drawn by the seed; or which. */
  readonly faults: number | readonly RoundFault[];
}

/** @throws Error with the seed and the faults, when something is missing, too much or out of order */
export async function brokerRound(options: BrokerRoundOptions): Promise<{ records: number }> {
  const random = randomFrom(options.seed);
  const draw = () => roundFaults[Math.floor(random() * roundFaults.length)] ?? "leader killed";
  const faults =
    typeof options.faults === "number"
      ? Array.from({ length: options.faults }, draw)
      : options.faults;
  const round = new Round(options, random);
  try {
    return await round.run(faults);
  } catch (cause) {
    const what = `seed ${options.seed}, ${options.producer} producer, ${faults.join(", ")}`;
    throw new Error(`${what}: ${round.describe(cause)}`, { cause });
  } finally {
    await round.end();
  }
}

class Round {
  readonly #cluster: Cluster;
  readonly #producerKind: keyof typeof roundProducers;
  readonly #random: () => number;
  readonly #topic = uniqueName("round");
  readonly #groupId = uniqueName("round");
  readonly #written: number[] = Array.from({ length: partitionCount }, () => 0);
  /** By partition: what was acknowledged, and at which offset. */
  readonly #told: Map<number, number>[] = Array.from({ length: partitionCount }, () => new Map());
  readonly #failures: Error[] = [];
  /** What the member read, first occurrences in order. */
  readonly #read: Set<string>[] = Array.from({ length: partitionCount }, () => new Set());
  readonly #stop = new AbortController();
  #kafka: Kafka | undefined;
  #toldCount = 0;

  constructor({ cluster, producer }: BrokerRoundOptions, random: () => number) {
    this.#cluster = cluster;
    this.#producerKind = producer;
    this.#random = random;
  }

  async run(faults: readonly RoundFault[]): Promise<{ records: number }> {
    await this.#cluster.createTopic(this.#topic, partitionCount, { "min.insync.replicas": "2" });
    this.#kafka = await this.#open();
    const config = { ...roundProducers[this.#producerKind], ...quick, "batch.size": "1000" };
    const producer = this.#kafka.producer({ clientId: "writer", config });
    const writing = this.#keepWriting(producer);
    const reading = this.#keepReading(this.#kafka);
    // Whoever fails first is told; neither goes unheard while the other is waited for.
    const broken = Promise.race([writing, reading]);
    broken.catch(() => {});
    await Promise.race([broken, this.#befall(faults)]);
    this.#stop.abort();
    await writing;
    await producer.flush();
    await this.#check();
    await reading;
    await producer.close(1_000);
    return { records: this.#toldCount };
  }

  describe(error: unknown): string {
    const [first] = this.#failures;
    return `${errorTrace(error)}${first === undefined ? "" : `; told: ${errorTrace(first)}`}`;
  }

  async end(): Promise<void> {
    this.#stop.abort();
    for (const node of this.#cluster.nodes) {
      node.proxy.heal();
      if (node.isFrozen) node.thaw();
    }
    await this.#kafka?.close();
  }

  #open(): Promise<Kafka> {
    const bootstrapServers = this.#cluster.bootstrap;
    return openKafka({
      bootstrapServers,
      config: quick,
      clientId: "round",
      logger: silentLogger(),
    });
  }

  /** Under load: each fault comes while records move, and records move again before the next. */
  async #befall(faults: readonly RoundFault[]): Promise<void> {
    await this.#moves("at first");
    for (const fault of faults) {
      const partition = Math.floor(this.#random() * partitionCount);
      const leader = await this.#cluster.leaderOf(this.#topic, partition);
      const coordinator = await this.#cluster.coordinatorOf(this.#groupId);
      assert.ok(leader !== undefined && coordinator !== undefined);
      await sleep(this.#random() * 300);
      const doing = this.#doTo(fault, fault === "coordinator killed" ? coordinator : leader);
      const isDone = await within(
        doing.then(() => true),
        faultMsMax,
        false,
      );
      assert.ok(isDone, `${fault} was not over after ${faultMsMax} ms`);
      await this.#moves(`after: ${fault}`);
      await waitFor(
        async () =>
          (await this.#cluster.partitions(this.#topic)).every(({ inSync }) => inSync.length === 3),
        { withinMs: 60_000, what: "replicas in sync again", everyMs: 100 },
      );
    }
  }

  async #doTo(fault: RoundFault, node: Broker): Promise<void> {
    switch (fault) {
      case "leader killed":
      case "coordinator killed":
        await node.kill();
        await sleep(this.#random() * 1_000);
        return node.start();
      case "leader shut down":
        await node.shutDown();
        return node.start();
      case "leader frozen":
        await node.freeze();
        await sleep(requestMsMax + 500 + this.#random() * 1_000);
        return node.thaw();
      case "connections cut":
        for (const each of this.#cluster.nodes) each.proxy.cut();
        return;
      case "leader unreachable":
        node.proxy.refuse();
        await sleep(this.#random() * 1_500);
        return node.proxy.heal();
      case "answers lost":
        for (let n = 0; n < 3; n += 1) await node.proxy.loseAnswers(produceKey);
        void (await this.#cluster.coordinatorOf(this.#groupId))?.proxy.loseAnswers(offsetCommitKey);
        return;
    }
  }

  /** Every partition takes records, and the member reads them. */
  async #moves(when: string): Promise<void> {
    const before = this.#told.map(({ size }) => size);
    const read = this.#read.map(({ size }) => size);
    await waitFor(
      () =>
        this.#told.every(({ size }, n) => size > before[n]! + 20) &&
        this.#read.every(({ size }, n) => size > read[n]! + 20),
      {
        withinMs: 60_000,
        what: `records to be written and read ${when} (${before}; ${read}; now ${this.#told.map(({ size }) => size)}; ${this.#read.map(({ size }) => size)})`,
      },
    );
  }

  async #keepWriting(producer: Producer): Promise<void> {
    const record = newRecordSlice();
    record.topic = this.#topic;
    const receipts = this.#told.map((told) => this.#receiptOf(told));
    while (!this.#stop.signal.aborted) {
      await producer.room(this.#stop.signal);
      for (const [partition, receipt] of receipts.entries()) {
        record.partition = partition;
        for (let n = 0; n < 5; n += 1) {
          const number = this.#written[partition]!++;
          const bytes = Buffer.from(String(number));
          Object.assign(record.value, { bytes, start: 0, end: bytes.length });
          producer.send(record, receipt, number);
        }
      }
      await sleep(5);
    }
  }

  #receiptOf(told: Map<number, number>): Receipt {
    return {
      stored: (indexes, from, to, { baseOffset }) => {
        for (let n = from; n < to; n += 1) {
          told.set(indexes[n]!, baseOffset === -1 ? -1 : baseOffset + n - from);
          this.#toldCount += 1;
        }
      },
      failed: (_indexes, _from, _to, error) => void this.#failures.push(error),
    };
  }

  /** Until it has read as far as the producer was told that records are stored. */
  async #keepReading(kafka: Kafka): Promise<void> {
    const consumer = kafka.sinkConsumer({
      clientId: "member",
      groupId: this.#groupId,
      topics: [this.#topic],
      autoOffsetReset: "earliest",
      config: { ...quick, "heartbeat.interval.ms": "300" },
      listener: { assigned: async () => {}, revoked: async () => {}, lost: async () => {} },
    });
    const nextOffsets = new Map<number, PartitionOffset>();
    const isDone = () =>
      this.#stop.signal.aborted && this.#read.every(({ size }, n) => size >= this.#written[n]!);
    let endMs = Number.POSITIVE_INFINITY;
    this.#stop.signal.addEventListener("abort", () => {
      endMs = performance.now() + 60_000;
    });
    while (!isDone() && performance.now() < endMs) {
      const fetched = await consumer.poll(200);
      if (fetched.length === 0) continue;
      for (const each of fetched) nextOffsets.set(each.partition, this.#take(each));
      const held = new Set(consumer.assignment().map(({ partition }) => partition));
      const offsets = [...nextOffsets.values()].filter(({ partition }) => held.has(partition));
      // Whoever lost its share or its coordinator reads on from the last commit that was kept.
      await consumer.commit(offsets).catch(() => nextOffsets.clear());
    }
    await consumer.close();
  }

  #take(fetched: Fetched): PartitionOffset {
    const { topic, partition, nextOffset: offset } = fetched;
    for (const { value } of recordsOf([fetched])) this.#read[partition]!.add(value ?? "");
    return { topic, partition, offset };
  }

  async #check(): Promise<void> {
    assert.deepEqual(this.#failures.map(errorTrace), [], "nothing fails in time that is this long");
    await waitFor(() => this.#read.every(({ size }, n) => size >= this.#written[n]!), {
      withinMs: 60_000,
      what: "the member to read everything",
    });
    for (let partition = 0; partition < partitionCount; partition += 1) {
      const stored = await this.#stored(partition);
      const wanted = Array.from({ length: this.#written[partition]! }, (_, n) => String(n));
      const told = this.#told[partition]!;
      assert.equal(told.size, wanted.length, `all of partition ${partition} are told`);
      for (const [number, offset] of told) {
        if (offset >= 0) assert.equal(stored[offset], String(number), `partition ${partition}`);
      }
      same([...new Set(stored)], wanted, `partition ${partition}, first occurrences`);
      if (this.#producerKind === "idempotent") same(stored, wanted, `partition ${partition}`);
      same([...this.#read[partition]!], wanted, `partition ${partition} as the member read it`);
    }
  }

  /** The values of a partition; each stands at its offset. */
  async #stored(partition: number): Promise<string[]> {
    const place = { topic: this.#topic, partition };
    const kafka = this.#kafka!;
    const [end = 0] = await kafka.admin.endOffsets([place]);
    const reader = kafka.partitionReader({ clientId: "look" });
    reader.assign([{ ...place, offset: 0 }]);
    const values: string[] = [];
    const deadlineMs = performance.now() + 30_000;
    while (values.length < end) {
      assert.ok(performance.now() < deadlineMs, `${values.length} of ${end} records came`);
      for (const { offset, value } of recordsOf(await reader.poll(1_000))) {
        assert.equal(offset, values.length, `partition ${partition} has no holes`);
        values.push(value ?? "");
      }
    }
    await reader.close();
    return values;
  }
}

/** Says where two long lists part instead of printing them. */
function same(actual: readonly string[], wanted: readonly string[], what: string): void {
  const at = wanted.findIndex((each, n) => actual[n] !== each);
  const from = Math.max(0, at - 2);
  if (at >= 0) assert.deepEqual(actual.slice(from, at + 8), wanted.slice(from, at + 8), what);
  assert.equal(actual.length, wanted.length, what);
}

const quick: ClientConfig = {
  "request.timeout.ms": String(requestMsMax),
  "retry.backoff.ms": "50",
  "reconnect.backoff.ms": "20",
  "reconnect.backoff.max.ms": "200",
};
