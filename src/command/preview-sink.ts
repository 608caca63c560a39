/** A sink's records as its plugin would get them, read from a log that is only looked into. */
import { RecordCursor } from "../batch/decode.ts";
import type { Fetched, Kafka, PartitionReader, TopicPartition } from "../kafka/kafka.ts";
import type { ConnectorConfig } from "../plugin/plugin.ts";
import type { ConnectRecord } from "../record/connect-record.ts";
import { writeRecord } from "../record/tagged-json.ts";
import { CursorRecords } from "../task/cursor-records.ts";
import { SinkChain } from "../task/sink-chain.ts";
import { SinkLanes } from "../task/sink-lanes.ts";
import type { SinkWay } from "../task/sink-way.ts";
import { converterStep } from "../task/source-lanes.ts";
import type { StagedStep } from "../task/stage-chain.ts";
import { StagedSink } from "../task/staged-sink.ts";
import { subscription } from "../task/subscription.ts";
import type { RecordConverters } from "../task/task.ts";
import { type LogAccess, openLogOf } from "./log-access.ts";
import type { PreviewChain } from "./preview-chain.ts";
import {
  failedAt,
  type RecordEnd,
  type SeenRecord,
  type SeenStep,
  stepThrough,
} from "./preview-record.ts";

const pollMsMax = 1_000;

export interface SinkPreviewParts extends RecordConverters {
  readonly config: ConnectorConfig;
  /** A new one at each call: what one has learnt must not change what the other does. */
  readonly openChain: () => Promise<PreviewChain>;
}

/** Follows records on the way that tasks take them, and beside it step by step. */
export class SinkPreview {
  readonly #parts: SinkPreviewParts;
  readonly #steps: readonly StagedStep[];
  readonly #way: SinkWay;
  readonly #records: CursorRecords;

  private constructor(parts: SinkPreviewParts, { steps }: PreviewChain, way: SinkWay) {
    this.#parts = parts;
    this.#steps = steps;
    this.#way = way;
    this.#records = new CursorRecords(parts);
  }

  /** @throws as `openChain` */
  static async open(parts: SinkPreviewParts): Promise<SinkPreview> {
    const [shown, used] = [await parts.openChain(), await parts.openChain()];
    return new SinkPreview(parts, shown, wayOf(parts, used));
  }

  /** Those before `end`; none any more when the signal fires. @throws TaskError when a plugin with a transform is gone */
  async *records(
    fetched: Fetched,
    end: number,
    signal: AbortSignal,
  ): AsyncGenerator<SeenRecord, void> {
    if ((await this.#way.prepare?.(fetched, signal)) === false) return;
    const cursor = new RecordCursor();
    cursor.reset(fetched);
    while (cursor.next() && cursor.offset < end) {
      const seen = await this.#see(cursor, fetched, signal);
      if (seen === undefined) return;
      yield seen;
    }
  }

  async #see(
    cursor: RecordCursor,
    from: TopicPartition,
    signal: AbortSignal,
  ): Promise<SeenRecord | undefined> {
    const place = {
      topic: JSON.stringify(from.topic),
      partition: String(from.partition),
      offset: String(cursor.offset),
    };
    const steps: SeenStep[] = [];
    const { config } = this.#parts;
    let record: ConnectRecord;
    let before: string;
    try {
      record = this.#records.read(cursor, from);
      before = writeRecord(record);
    } catch (error) {
      const step = converterStep(this.#records.part, this.#parts);
      return { place, before: null, steps, end: failedAt(step, error, config) };
    }
    const end = await stepThrough(this.#steps, record, steps, config, signal);
    if (end === undefined) return undefined;
    return { place, before, steps, end: end === "through" ? this.#put(cursor, from) : end };
  }

  /** What no batch could carry fails here. */
  #put(cursor: RecordCursor, from: TopicPartition): RecordEnd {
    const way = this.#way;
    try {
      way.read(cursor, from);
      for (let index = 0; index < way.headerCount; index += 1) way.header(index);
    } catch (error) {
      return failedAt(way.step, error, this.#parts.config);
    }
    return { at: "put" };
  }
}

function wayOf(parts: RecordConverters, { steps, staged }: PreviewChain): SinkWay {
  if (staged !== undefined) return new StagedSink(parts, staged);
  if (steps.length === 0) return new SinkLanes(parts);
  return new SinkChain(
    parts,
    steps.map(({ step }) => step),
  );
}

/** A log, and the topics in it that a sink would read. */
export interface SinkLog extends LogAccess {
  readonly topics: readonly string[];
  /** Named, but not there. */
  readonly missing: readonly string[];
}

/** Opens the log of a worker file for a look. @throws ConfigError where there is none */
export async function openSinkLog(workerFile: string, config: ConnectorConfig): Promise<SinkLog> {
  const wanted = subscription(config);
  const named = typeof wanted === "function" ? await matching(workerFile, wanted) : wanted;
  const log = await openLogOf({ config: workerFile }, { at: "look", topics: named });
  try {
    const there = new Set(await log.kafka.admin.listTopics());
    const topics = named.filter((topic) => there.has(topic));
    return { ...log, topics, missing: named.filter((topic) => !there.has(topic)) };
  } catch (error) {
    await log.kafka.close();
    throw error;
  }
}

/** A log that a host has open is copied, so which topics are meant has to be known before. */
async function matching(
  workerFile: string,
  isWanted: (topic: string) => boolean,
): Promise<readonly string[]> {
  const { kafka } = await openLogOf({ config: workerFile }, { at: "look" });
  try {
    return (await kafka.admin.listTopics()).filter(isWanted);
  } finally {
    await kafka.close();
  }
}

/**
 * Reads the topics from their beginning, in no group, until `take` has enough, all that was there is
 * read, or the signal fires. `end`: records from there on were not there when it began.
 */
export async function readRecords(
  { kafka, consumer, topics }: SinkLog,
  take: (fetched: Fetched, end: number) => Promise<"more" | "enough">,
  signal: AbortSignal,
): Promise<"enough" | "read" | "stopped"> {
  const partitions = await partitionsOf(kafka, topics);
  const readCommitted = consumer["isolation.level"] === "read_committed";
  const ends = await kafka.admin.endOffsets(partitions, { readCommitted });
  const endOf = new Map(partitions.map((each, at) => [keyOf(each), ends[at] ?? 0]));
  const unread = new Set(partitions.map(keyOf).filter((key) => (endOf.get(key) ?? 0) > 0));
  const config = { ...consumer, "auto.offset.reset": "earliest" };
  const reader = kafka.partitionReader({ clientId: "bulkhead-preview", config });
  reader.assign(partitions.map((each) => ({ ...each, offset: 0 })));
  const readRun = async (fetched: Fetched): Promise<boolean> => {
    const end = endOf.get(keyOf(fetched)) ?? 0;
    if (fetched.nextOffset >= end) unread.delete(keyOf(fetched));
    return (await take(fetched, end)) === "enough";
  };
  try {
    return await readUntil(reader, readRun, unread, signal);
  } finally {
    await reader.close();
  }
}

async function readUntil(
  reader: PartitionReader,
  readRun: (fetched: Fetched) => Promise<boolean>,
  unread: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<"enough" | "read" | "stopped"> {
  while (unread.size > 0) {
    if (signal.aborted) return "stopped";
    for (const each of await reader.poll(pollMsMax, signal)) {
      if (await readRun(each)) return "enough";
    }
  }
  return "read";
}

async function partitionsOf(kafka: Kafka, topics: readonly string[]): Promise<TopicPartition[]> {
  const partitions: TopicPartition[] = [];
  for (const topic of topics) {
    const count = (await kafka.admin.describeTopic(topic))?.partitionCount ?? 0;
    for (let partition = 0; partition < count; partition += 1)
      partitions.push({ topic, partition });
  }
  return partitions;
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
