import { once } from "node:events";
import { ConfigError, TaskError } from "../base/error.ts";
import { RecordCursor } from "../batch/decode.ts";
import { type RecordFormat, recordText, type ShownParts } from "../cli/record-text.ts";
import type { Fetched, PartitionOffset, PartitionReader, TopicPartition } from "../kafka/kafka.ts";
import { askedToStop } from "./asked-to-stop.ts";
import { type LogOptions, openLogOf } from "./log-access.ts";
import { readerGone } from "./reader-gone.ts";
import { topicOf } from "./topic.ts";

const pollMsMax = 1_000;
/** Written to stdout in pieces of about this size. */
const pieceCharacters = 64 * 1024;

export interface ReadOptions extends LogOptions {
  readonly partition?: number;
  /** `beginning`, `end` or an offset. */
  readonly from: string;
  /** Only so many before the end of each partition; goes before `from`. */
  readonly last?: number;
  readonly follow?: boolean;
  readonly limit?: number;
  readonly format: RecordFormat;
  readonly keys?: boolean;
  readonly headers?: boolean;
  readonly timestamps?: boolean;
  readonly offsets?: boolean;
}

/**
 * Prints the records of a topic, a line each: those that are there when it begins or, to follow, all
 * that come until SIGINT; an embedded log that a host has open cannot be followed. A reader of the output that goes away ends it too.
 */
export async function readTopic(topic: string, options: ReadOptions): Promise<void> {
  const from = startOf(options);
  const asked = askedToStop();
  const output = new Output();
  const use = options.follow
    ? ({ at: "change" } as const)
    : ({ at: "look", topics: [topic] } as const);
  const { kafka, consumer } = await openLogOf(options, use);
  try {
    const { partitionCount } = await topicOf(kafka, topic);
    const partitions = partitionsOf(topic, partitionCount, options.partition);
    const readCommitted = consumer["isolation.level"] === "read_committed";
    const ends = await kafka.admin.endOffsets(partitions, { readCommitted });
    const starts = partitions.map((each, n) => ({ ...each, offset: from(ends[n] ?? 0) }));
    const signal = AbortSignal.any([asked, output.gone]);
    // What was deleted meanwhile is passed over, whatever the sinks of this worker do about it.
    const config = { ...consumer, "auto.offset.reset": "earliest" };
    const reader = kafka.partitionReader({ clientId: "bulkhead-read", config });
    await new TopicPrinter(options, output).print(reader, starts, ends, signal);
  } finally {
    await kafka.close();
  }
}

class TopicPrinter {
  readonly #options: ReadOptions;
  readonly #shown: ShownParts;
  readonly #output: Output;
  readonly #cursor = new RecordCursor();
  #left: number;

  constructor(options: ReadOptions, output: Output) {
    const { format, keys, headers, timestamps, offsets } = options;
    this.#options = options;
    this.#output = output;
    this.#left = options.limit ?? Number.POSITIVE_INFINITY;
    this.#shown = {
      format,
      keys: keys === true,
      headers: headers === true,
      timestamps: timestamps === true,
      offsets: offsets === true,
    };
  }

  async print(
    reader: PartitionReader,
    starts: readonly PartitionOffset[],
    ends: readonly number[],
    signal: AbortSignal,
  ): Promise<void> {
    const endOf = new Map(starts.map(({ partition }, n) => [partition, ends[n] ?? 0]));
    const unread = new Set(
      starts
        .filter(({ partition, offset }) => offset < endOf.get(partition)!)
        .map((each) => each.partition),
    );
    reader.assign(starts);
    try {
      while (this.#left > 0 && !signal.aborted && (this.#options.follow || unread.size > 0)) {
        for (const each of await reader.poll(pollMsMax, signal)) {
          const end = endOf.get(each.partition) ?? 0;
          this.#printRun(each, this.#options.follow ? Number.POSITIVE_INFINITY : end);
          if (each.nextOffset >= end) unread.delete(each.partition);
        }
        await this.#output.flush();
      }
    } finally {
      await reader.close();
    }
  }

  #printRun(fetched: Fetched, end: number): void {
    const cursor = this.#cursor;
    cursor.reset(fetched);
    while (this.#left > 0 && cursor.next() && cursor.offset < end) {
      const { topic, partition } = fetched;
      this.#output.line(recordText(topic, partition, cursor, this.#shown));
      this.#left -= 1;
    }
  }
}

/** Lines on stdout, waited for. */
class Output {
  readonly gone = readerGone();
  #text = "";

  line(text: string): void {
    this.#text += `${text}\n`;
    if (this.#text.length >= pieceCharacters) this.#write();
  }

  async flush(): Promise<void> {
    this.#write();
    if (!process.stdout.writableNeedDrain || this.gone.aborted) return;
    await once(process.stdout, "drain", { signal: this.gone }).catch(() => {});
  }

  #write(): void {
    if (this.#text !== "" && !this.gone.aborted) process.stdout.write(this.#text);
    this.#text = "";
  }
}

/** From where in a partition whose end is known. */
function startOf({ from, last }: ReadOptions): (end: number) => number {
  if (last !== undefined) return (end) => Math.max(0, end - last);
  if (from === "beginning") return () => 0;
  if (from === "end") return (end) => end;
  if (/^\d+$/.test(from)) return () => Number(from);
  throw new ConfigError("config.invalid", `cannot read from ${from}`, {
    hint: "--from takes beginning, end or an offset",
  });
}

function partitionsOf(topic: string, count: number, only: number | undefined): TopicPartition[] {
  if (only === undefined) {
    return Array.from({ length: count }, (_, partition) => ({ topic, partition }));
  }
  if (only < count) return [{ topic, partition: only }];
  const text = `cannot read partition ${only} of ${topic}: it has ${count}, counted from 0`;
  throw new TaskError("kafka.partition_not_found", text);
}
