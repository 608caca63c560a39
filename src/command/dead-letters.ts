/** Dead letters as they stand in their topic: what each says of itself, and which ones are wanted. */
import { ConfigError } from "../base/error.ts";
import { RecordCursor } from "../batch/decode.ts";
import type { ClientConfig, Kafka } from "../kafka/kafka.ts";
import { topicOf } from "./topic.ts";

const pollMsMax = 1_000;
const contextPrefix = "__connect.errors.";
const ownPrefix = "__bulkhead.errors.";

/** A letter with its bytes copied; the context is empty where the connector writes none. */
export interface FoundLetter {
  readonly partition: number;
  readonly offset: number;
  /** -1 = none. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Those of the record itself. */
  readonly headers: readonly { readonly name: string; readonly value: Buffer | null }[];
  /** By what stands behind `__connect.errors.`, and behind `__bulkhead.errors.`. */
  readonly context: ReadonlyMap<string, string | null>;
}

/** What the command line asks for; every filter that is there has to hold. */
export interface LetterOptions {
  readonly stage?: string;
  /** A part of the exception's class name. */
  readonly error?: string;
  /** A part of the exception's message. */
  readonly message?: string;
  /** Where the record was, or was to go. */
  readonly topic?: string;
  readonly connector?: string;
  readonly task?: string;
  /** An ISO time; of the record's own timestamp. */
  readonly since?: string;
  readonly until?: string;
  /** PARTITION-OFFSET: letters before it are not looked at. */
  readonly from?: string;
}

/** `3-120` */
export function placeText({ partition, offset }: { partition: number; offset: number }): string {
  return `${partition}-${offset}`;
}

/** @throws ConfigError for what is no PARTITION-OFFSET */
export function placeIn(text: string): { readonly partition: number; readonly offset: number } {
  const [, partition, offset] = /^(\d{1,9})-(\d{1,15})$/.exec(text) ?? [];
  if (partition === undefined || offset === undefined) {
    throw new ConfigError("config.invalid", `cannot find a dead letter by ${text}`, {
      hint: "name its place as PARTITION-OFFSET, for example 0-120",
    });
  }
  return { partition: Number(partition), offset: Number(offset) };
}

/**
 * The letters that are there now, partition after partition, so that `from` says where to go on.
 * @throws TaskError where there is no such topic
 */
export async function* lettersOf(
  kafka: Kafka,
  consumer: ClientConfig,
  topic: string,
  from: { readonly partition: number; readonly offset: number },
  signal: AbortSignal,
): AsyncGenerator<FoundLetter> {
  const { partitionCount } = await topicOf(kafka, topic);
  const config = { ...consumer, "auto.offset.reset": "earliest" };
  const reader = kafka.partitionReader({ clientId: "bulkhead-dlq", config });
  try {
    for (let partition = from.partition; partition < partitionCount; partition += 1) {
      const [end = 0] = await kafka.admin.endOffsets([{ topic, partition }]);
      let next = partition === from.partition ? from.offset : 0;
      reader.assign([{ topic, partition, offset: next }]);
      while (next < end && !signal.aborted) {
        for (const fetched of await reader.poll(pollMsMax, signal)) {
          const cursor = new RecordCursor();
          cursor.reset(fetched);
          while (cursor.next() && cursor.offset < end) yield letterAt(partition, cursor);
          next = fetched.nextOffset;
        }
      }
    }
  } finally {
    await reader.close();
  }
}

function letterAt(partition: number, cursor: RecordCursor): FoundLetter {
  const { bytes, offset, timestampMs } = cursor;
  const context = new Map<string, string | null>();
  const headers: { name: string; value: Buffer | null }[] = [];
  for (const header of cursor.headers.slice(0, cursor.headerCount)) {
    const name = Buffer.from(header.name).toString();
    const value = copied(header.bytes, header.start, header.end);
    if (name.startsWith(contextPrefix)) {
      context.set(name.slice(contextPrefix.length), value?.toString() ?? null);
    } else if (name.startsWith(ownPrefix)) {
      context.set(name.slice(ownPrefix.length), value?.toString() ?? null);
    } else headers.push({ name, value });
  }
  const key = copied(bytes, cursor.keyStart, cursor.keyEnd);
  const value = copied(bytes, cursor.valueStart, cursor.valueEnd);
  return { partition, offset, timestampMs, key, value, headers, context };
}

function copied(bytes: Uint8Array, start: number, end: number): Buffer | null {
  return start < 0 ? null : Buffer.from(bytes.subarray(start, end));
}

/** Says of a letter whether all filters hold. @throws ConfigError for a time that is none */
export function letterFilter(options: LetterOptions): (letter: FoundLetter) => boolean {
  const since = timeOf(options.since, "--since") ?? Number.NEGATIVE_INFINITY;
  const until = timeOf(options.until, "--until") ?? Number.POSITIVE_INFINITY;
  const equal = [
    ["stage", options.stage],
    ["topic", options.topic],
    ["connector.name", options.connector],
    ["task.id", options.task],
  ] as const;
  const within = [
    ["exception.class.name", options.error],
    ["exception.message", options.message],
  ] as const;
  return ({ timestampMs, context }) =>
    timestampMs >= since &&
    timestampMs < until &&
    equal.every(([name, text]) => text === undefined || sameText(context.get(name), text)) &&
    within.every(
      ([name, text]) => text === undefined || context.get(name)?.includes(text) === true,
    );
}

/** Stages are upper case in the headers, and nobody should have to know. */
function sameText(found: string | null | undefined, wanted: string): boolean {
  return found === wanted || (/^[A-Z_]+$/.test(found ?? "") && found === wanted.toUpperCase());
}

function timeOf(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const ms = Date.parse(text);
  if (!Number.isNaN(ms)) return ms;
  throw new ConfigError("config.invalid", `cannot read the time ${text}`, {
    hint: `${option} takes an ISO time, for example 2026-01-31T12:00:00Z`,
  });
}

/** `orders-0@5`; a source's record has no place in Kafka. */
export function originText({ context }: FoundLetter): string {
  const topic = context.get("topic");
  if (topic === undefined || topic === null) return "?";
  if (!isOfSink(context)) return `a source's, for ${topic}`;
  return `${topic}-${context.get("partition")}@${context.get("offset")}`;
}

/** Whether its bytes are those of a record in Kafka. */
export function isOfSink(context: FoundLetter["context"]): boolean {
  return context.has("partition") && context.has("offset");
}
