/** `bulkhead dlq replay`: dead letters back to where their records were, as they were. */
import { setTimeout as sleep } from "node:timers/promises";
import { ConfigError, TaskError } from "../base/error.ts";
import type { Producer, Receipt } from "../kafka/kafka.ts";
import { type ByteSlice, newRecordSlice, noBytes } from "../record/record-slice.ts";
import { askedToStop } from "./asked-to-stop.ts";
import {
  type FoundLetter,
  isOfSink,
  type LetterOptions,
  letterFilter,
  lettersOf,
  originText,
  placeIn,
  placeText,
} from "./dead-letters.ts";
import { type LogOptions, openLogOf } from "./log-access.ts";
import { readerGone } from "./reader-gone.ts";
import { writeConfig } from "./write.ts";

const closeMsMax = 30_000;
/** A pause shorter than that is not worth a timer. */
const pauseMsMin = 5;

export interface DlqReplayOptions extends LogOptions, LetterOptions {
  /** Instead of the topics that the letters name. */
  readonly to?: string;
  /** Records a second. */
  readonly rate?: number;
  readonly limit?: number;
  readonly keepPartition?: boolean;
  readonly dryRun?: boolean;
}

/**
 * Writes the records of the wanted letters again, without the headers that say what went wrong. The
 * letters stay, so a second run writes them again: the last line says where to go on.
 * @throws TaskError naming the first letter whose record could not be written
 */
export async function replayLetters(topic: string, options: DlqReplayOptions): Promise<void> {
  const holds = letterFilter(options);
  const from = options.from === undefined ? { partition: 0, offset: 0 } : placeIn(options.from);
  assertElsewhere(topic, options.to);
  const signal = askedToStop();
  const use = options.dryRun
    ? ({ at: "look", topics: [topic] } as const)
    : ({ at: "change" } as const);
  const { kafka, consumer, producer } = await openLogOf(options, use);
  const replay = new Replay(topic, options);
  try {
    const config = { ...writeConfig, ...producer };
    const writer = options.dryRun
      ? undefined
      : kafka.producer({ clientId: "bulkhead-dlq-replay", config });
    for await (const letter of lettersOf(kafka, consumer, topic, from, signal)) {
      if (replay.isOver || signal.aborted) break;
      if (holds(letter)) await replay.take(letter, writer, signal);
      else replay.leftOut += 1;
      replay.next = { partition: letter.partition, offset: letter.offset + 1 };
    }
    await writer?.close(closeMsMax);
  } finally {
    await kafka.close();
  }
  process.stderr.write(`${replay.summary(signal.aborted)}\n`);
  replay.assertDone();
}

class Replay {
  readonly #topic: string;
  readonly #options: DlqReplayOptions;
  readonly #record = newRecordSlice();
  /** By the index of what was sent. */
  readonly #sent: FoundLetter[] = [];
  #failure: { readonly letter: FoundLetter; readonly error: Error } | undefined;
  #failures = 0;
  #stored = 0;
  #begunMs = 0;
  leftOut = 0;
  /** Behind the last letter that was looked at. */
  next: { readonly partition: number; readonly offset: number } | undefined;

  constructor(topic: string, options: DlqReplayOptions) {
    this.#topic = topic;
    this.#options = options;
  }

  /** After a failure nothing more is sent: what comes first should arrive first. */
  get isOver(): boolean {
    const { limit = Number.POSITIVE_INFINITY } = this.#options;
    return this.#failure !== undefined || this.#sent.length >= limit;
  }

  async take(
    letter: FoundLetter,
    producer: Producer | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#pace(signal);
    const to = this.#options.to ?? letter.context.get("topic") ?? undefined;
    const index = this.#sent.push(letter) - 1;
    try {
      if (to === undefined) throw noTopic();
      if (this.#options.to === undefined && !isOfSink(letter.context)) throw ofSource();
      assertElsewhere(this.#topic, to);
      if (producer === undefined) {
        readerGone();
        process.stdout.write(`${placeText(letter)}  ${originText(letter)}  to ${to}\n`);
        this.#stored += 1;
        return;
      }
      this.#fill(letter, to);
      producer.send(this.#record, this.#receipt, index);
      await producer.room();
    } catch (error) {
      this.#failed(letter, error as Error);
    }
  }

  /** Never ahead of the rate, counted from the first. */
  async #pace(signal: AbortSignal): Promise<void> {
    const { rate } = this.#options;
    if (rate === undefined) return;
    if (this.#sent.length === 0) this.#begunMs = performance.now();
    const dueMs = this.#begunMs + (this.#sent.length * 1_000) / rate;
    const aheadMs = dueMs - performance.now();
    if (aheadMs >= pauseMsMin) await sleep(aheadMs, undefined, { signal }).catch(() => {});
  }

  readonly #receipt: Receipt = {
    stored: (_indexes, from, to) => {
      this.#stored += to - from;
    },
    failed: (indexes, from, to, error) => {
      for (let at = from; at < to; at += 1) {
        this.#failed(this.#sent[indexes[at] as number] as FoundLetter, error);
      }
    },
  };

  #fill(letter: FoundLetter, to: string): void {
    const record = this.#record;
    record.topic = to;
    const partition = letter.context.get("partition");
    record.partition = this.#options.keepPartition === true ? Number(partition ?? -1) : -1;
    record.timestampMs = letter.timestampMs;
    point(record.key, letter.key);
    point(record.value, letter.value);
    record.headers = letter.headers.map(({ name, value }) => ({
      name: Buffer.from(name),
      bytes: value ?? noBytes,
      start: value === null ? -1 : 0,
      end: value === null ? -1 : value.length,
    }));
    record.headerCount = letter.headers.length;
  }

  #failed(letter: FoundLetter, error: Error): void {
    this.#failures += 1;
    this.#failure ??= { letter, error };
  }

  /** I7: every letter that was read is in one of the counts. */
  summary(isStopped: boolean): string {
    const did = this.#options.dryRun ? "would replay" : "replayed";
    const from = this.#failure?.letter ?? this.next;
    const on = from === undefined ? "" : `; to go on: --from ${placeText(from)}`;
    const stopped = isStopped ? "stopped: " : "";
    return `${stopped}${did} ${this.#stored} of ${this.#sent.length + this.leftOut} dead letters, ${this.leftOut} left out by filters, ${this.#failures} failed${on}`;
  }

  assertDone(): void {
    if (this.#failure === undefined) return;
    const { letter, error } = this.#failure;
    const text = `cannot replay the dead letter ${placeText(letter)} of ${this.#topic}`;
    throw new TaskError("task.produce_failed", text, { cause: error });
  }
}

/** @throws ConfigError: a replay into the same topic would never end */
function assertElsewhere(topic: string, to: string | undefined): void {
  if (to !== topic) return;
  throw new ConfigError("config.invalid", `cannot replay ${topic} into itself`, {
    hint: "name another topic with --to",
  });
}

function noTopic(): ConfigError {
  const hint = "name a topic with --to";
  return new ConfigError("config.invalid", "it does not say where its record was", { hint });
}

function ofSource(): ConfigError {
  return new ConfigError("config.invalid", "its record came from a source and was not converted", {
    hint: "restart the source from an earlier offset, or name a topic for its raw bytes with --to",
  });
}

function point(slice: ByteSlice, bytes: Buffer | null): void {
  slice.bytes = bytes ?? noBytes;
  slice.start = bytes === null ? -1 : 0;
  slice.end = bytes === null ? -1 : bytes.length;
}
