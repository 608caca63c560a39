/**
 * A compacted topic that is written, read to its end and then followed: what the host keeps its
 * configs, offsets and states in. Written against the port, so it serves a cluster and the embedded
 * log alike.
 */
import { Backoff } from "../base/backoff.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { within } from "../base/deadline.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { ConfigError, RetriableError, TaskError } from "../base/error.ts";
import { Scope } from "../base/scope.ts";
import { RecordCursor } from "../batch/decode.ts";
import { levelOfDelay } from "../observe/log-level.ts";
import type { Logger } from "../observe/logger.ts";
import { type ByteSlice, newRecordSlice } from "../record/record-slice.ts";
import type {
  ClientConfig,
  Fetched,
  Kafka,
  PartitionReader,
  Producer,
  Receipt,
  TopicDescription,
} from "./kafka.ts";

/** How long one poll may wait; a follower is woken by records and by its end. */
const pollMsMax = 60_000;
/** How long what was appended may take to get its outcome when the log is closed. */
const closeMsMax = 5_000;

export interface TopicLogOptions {
  kafka: Kafka;
  topic: string;
  /** Used when the topic is missing; one that exists keeps what it has. */
  partitionCount: number;
  /** Default -1: the cluster's. */
  replicationFactor?: number;
  /** Of a topic that has to be made; `cleanup.policy` is always compact. */
  config?: Readonly<Record<string, string>>;
  /** The worker key that names the topic, and what is kept in it: for messages to a person. */
  topicKey: string;
  purpose: string;
  /** Refuse a topic with more partitions than one. */
  isSinglePartition?: boolean;
  readCommitted?: boolean;
  clientId: string;
  producerConfig?: ClientConfig;
  readerConfig?: ClientConfig;
  /**
   * Told every record, in the order of its partition; the arrays are the callee's. It must not throw:
   * an error ends the log.
   */
  onRecord(key: Uint8Array | null, value: Uint8Array | null, at: RecordPlace): void;
  /** Ends the log as `close` does. */
  signal?: AbortSignal;
  clock?: Clock;
  logger: Logger;
}

/** Where a record stands. */
export interface RecordPlace {
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
}

/** One record to append; a null value deletes its key. */
export interface TopicLogRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
}

/**
 * Makes the topic when it is missing and starts to read it from its beginning.
 * @throws ConfigError `kafka.topic_not_compacted`, `kafka.topic_invalid`.
 */
export async function openTopicLog(options: TopicLogOptions): Promise<TopicLog> {
  const description = await findOrCreate(options);
  const log = new TopicLog(options, description.partitionCount);
  log.start();
  return log;
}

export class TopicLog {
  readonly partitionCount: number;
  readonly #options: TopicLogOptions;
  readonly #reader: PartitionReader;
  readonly #producer: Producer;
  readonly #scope: Scope;
  readonly #record = newRecordSlice();
  readonly #cursor = new RecordCursor();
  /** The next offset of each partition. */
  readonly #positions: number[];
  #waits: { ends: readonly number[]; done: Deferred<void> }[] = [];
  #failure: Error | undefined;

  /** Use `openTopicLog`. */
  constructor(options: TopicLogOptions, partitionCount: number) {
    const { kafka, clientId, producerConfig, readerConfig, readCommitted } = options;
    this.partitionCount = partitionCount;
    this.#options = options;
    this.#positions = Array.from({ length: partitionCount }, () => 0);
    this.#scope = new Scope(options.signal);
    this.#reader = kafka.partitionReader({
      clientId,
      ...(readCommitted === undefined ? {} : { readCommitted }),
      ...(readerConfig === undefined ? {} : { config: readerConfig }),
    });
    this.#producer = kafka.producer({
      clientId,
      ...(producerConfig === undefined ? {} : { config: producerConfig }),
    });
    this.#record.topic = options.topic;
    this.#scope.defer(() => this.#reader.close());
    this.#scope.defer(() => this.#producer.close(closeMsMax));
  }

  /** Begins to read; once. */
  start(): void {
    this.#reader.assign(this.#partitions().map((each) => ({ ...each, offset: 0 })));
    this.#scope.spawn(
      (signal) => this.#follow(signal),
      (error) => this.#fail(error),
    );
  }

  /** Durable when it resolves. */
  append(key: Uint8Array | null, value: Uint8Array | null): Promise<void> {
    return this.appendAll([{ key, value }]);
  }

  /** In this order within a partition; durable when it resolves. Rejects when one of them failed. */
  async appendAll(records: readonly TopicLogRecord[]): Promise<void> {
    this.#assertWorking("write to");
    if (records.length === 0) return;
    await this.#producer.room(this.#scope.signal);
    this.#assertWorking("write to");
    const outcome = deferred();
    let left = records.length;
    let failure: Error | undefined;
    const count = (from: number, to: number): void => {
      left -= to - from;
      if (left > 0) return;
      if (failure === undefined) outcome.resolve();
      else outcome.reject(this.#failed("write to", failure));
    };
    const receipt: Receipt = {
      stored: (_indexes, from, to) => count(from, to),
      failed: (_indexes, from, to, error) => {
        failure ??= error;
        count(from, to);
      },
    };
    for (const [n, { key, value }] of records.entries()) {
      point(this.#record.key, key);
      point(this.#record.value, value);
      try {
        this.#producer.send(this.#record, receipt, n);
      } catch (error) {
        // It has no receipt and neither have those after it; those before it keep theirs.
        failure ??= error as Error;
        count(n, records.length);
        break;
      }
    }
    await outcome.promise;
  }

  /**
   * Resolves when every record that was in the log at the call was told to `onRecord`; with
   * `readCommitted`, up to where the first open transaction begins.
   */
  async readToEnd(): Promise<void> {
    this.#assertWorking("read");
    const { kafka, readCommitted = false } = this.#options;
    const ends = await kafka.admin.endOffsets(this.#partitions(), { readCommitted });
    if (this.#hasReached(ends)) return;
    this.#assertWorking("read");
    const done = deferred();
    this.#waits.push({ ends, done });
    await done.promise;
  }

  /** What was appended gets its outcome first, within limits. */
  async close(): Promise<void> {
    await within(this.#producer.flush(), closeMsMax, undefined);
    await this.#scope.close();
    this.#fail(this.#closedError("read"));
  }

  #partitions(): { topic: string; partition: number }[] {
    const { topic } = this.#options;
    return this.#positions.map((_, partition) => ({ topic, partition }));
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { clock = systemClock, logger, topic } = this.#options;
    const backoff = new Backoff({ firstMs: 100, maxMs: 5_000 });
    while (!signal.aborted) {
      try {
        const fetched = await this.#reader.poll(pollMsMax, signal);
        for (const each of fetched) this.#tell(each);
        this.#release();
        backoff.reset();
      } catch (error) {
        if (!(error instanceof RetriableError)) throw error;
        const delayMs = backoff.nextDelayMs();
        const level = levelOfDelay(delayMs);
        logger[level]({ topic, delayMs, err: error }, `cannot read topic ${topic}, trying again`);
        await clock.sleep(delayMs, signal);
      }
    }
  }

  #tell(fetched: Fetched): void {
    const { partition } = fetched;
    const cursor = this.#cursor;
    cursor.reset(fetched);
    while (cursor.next()) {
      const { bytes, offset, timestampMs } = cursor;
      const key = copyOf(bytes, cursor.keyStart, cursor.keyEnd);
      const value = copyOf(bytes, cursor.valueStart, cursor.valueEnd);
      this.#options.onRecord(key, value, { partition, offset, timestampMs });
    }
    this.#positions[partition] = fetched.nextOffset;
  }

  #hasReached(ends: readonly number[]): boolean {
    return ends.every((end, partition) => this.#positions[partition]! >= end);
  }

  #release(): void {
    this.#waits = this.#waits.filter(({ ends, done }) => {
      if (!this.#hasReached(ends)) return true;
      done.resolve();
      return false;
    });
  }

  /** Whoever waits, now or later, learns why it waits in vain. */
  #fail(error: unknown): void {
    const known = this.#failure;
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    if (known === undefined && !this.#scope.signal.aborted) {
      const { logger, topic } = this.#options;
      logger.error({ topic, err: error }, `topic ${topic} is no longer read`);
    }
    const failure = this.#failed("read", this.#failure);
    for (const { done } of this.#waits.splice(0)) done.reject(failure);
  }

  #assertWorking(doing: string): void {
    if (this.#scope.signal.aborted) throw this.#closedError(doing);
    if (this.#failure !== undefined) throw this.#failed(doing, this.#failure);
  }

  #failed(doing: string, cause: Error): Error {
    if (cause instanceof TaskError && cause.code === "kafka.topic_log_failed") return cause;
    const { topic } = this.#options;
    return new TaskError("kafka.topic_log_failed", `cannot ${doing} topic ${topic}`, { cause });
  }

  #closedError(doing: string): TaskError {
    const { topic } = this.#options;
    return new TaskError("kafka.topic_log_failed", `cannot ${doing} topic ${topic}: it is closed`);
  }
}

async function findOrCreate(options: TopicLogOptions): Promise<TopicDescription> {
  const { kafka, topic, partitionCount, replicationFactor = -1 } = options;
  const known = await kafka.admin.describeTopic(topic);
  if (known !== undefined) return checked(known, options);
  const config = { ...options.config, "cleanup.policy": "compact" };
  const wasMade = await kafka.admin.createTopic({
    name: topic,
    partitionCount,
    replicationFactor,
    config,
  });
  const made = await kafka.admin.describeTopic(topic);
  // A cluster may take a moment to tell of a new topic; what was asked for is what it has.
  if (made === undefined) return { name: topic, partitionCount, config };
  return wasMade ? made : checked(made, options);
}

/** @throws ConfigError in the words of Connect. */
function checked(description: TopicDescription, options: TopicLogOptions): TopicDescription {
  const { topic, topicKey, purpose } = options;
  const policy = description.config["cleanup.policy"];
  // A cluster that does not let this user see the setting is believed.
  if (policy !== undefined && policy !== "compact") {
    throw new ConfigError(
      "kafka.topic_not_compacted",
      `Topic '${topic}' supplied via the '${topicKey}' property is required to have ` +
        `'cleanup.policy=compact' to guarantee consistency and durability of ${purpose}, but found ` +
        `the topic currently has 'cleanup.policy=${policy}'. Continuing would likely result in ` +
        `eventually losing ${purpose} and problems restarting this Connect cluster in the future. ` +
        `Change the '${topicKey}' property in the Connect worker configurations to use a topic ` +
        `with 'cleanup.policy=compact'.`,
    );
  }
  if (options.isSinglePartition && description.partitionCount > 1) {
    throw new ConfigError(
      "kafka.topic_invalid",
      `Topic '${topic}' supplied via the '${topicKey}' property is required to have a single ` +
        `partition in order to guarantee consistency of ${purpose}, but found ` +
        `${description.partitionCount} partitions.`,
    );
  }
  return description;
}

function point(slice: ByteSlice, bytes: Uint8Array | null): void {
  if (bytes !== null) slice.bytes = bytes;
  slice.start = bytes === null ? -1 : 0;
  slice.end = bytes === null ? -1 : bytes.length;
}

/** A copy, since a part of what was fetched would keep the whole alive. */
function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array | null {
  return start < 0 ? null : new Uint8Array(bytes.subarray(start, end));
}
