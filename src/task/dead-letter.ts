/**
 * A dead letter: the record as it was, and ten headers that say what went wrong with it. Names, order
 * and texts of the headers are those of Connect's DeadLetterQueueReporter.
 */
import { errorHint, errorLine } from "../base/error.ts";
import type { Failure } from "../plugin/plugin.ts";
import { javaClassOfError } from "../record/java-error.ts";
import { type ByteSlice, noBytes, type RecordSlice } from "../record/record-slice.ts";
import type { SourcePlace } from "./source-offsets.ts";
import { failureTrace } from "./task-failure.ts";

/** A record's place in Kafka. */
export interface RecordPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** Which record of a source it was. */
export interface SourceRecordPlace {
  /** The topic that it was for, as the plugin named it. */
  readonly topic: string;
  readonly place: SourcePlace;
  /** In its batch, from 0. */
  readonly index: number;
}

/** What went wrong, in the three texts that a dead letter has for it. */
export interface LetterError {
  readonly className: string;
  readonly message: string | null;
  /** First line `class: message`, then what happened and what to do about it, then the frames. */
  readonly trace: string;
}

/** A record that failed for good. Its bytes must not change before the letter is written. */
export interface DeadLetter {
  /** Where a sink read it; null for the record of a source. */
  readonly original: RecordPlace | null;
  /** The record of a source. */
  readonly source?: SourceRecordPlace;
  /** Milliseconds since the epoch; -1 = the record has none. */
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly LetterHeader[];
  /** Connect's name, for example VALUE_CONVERTER. */
  readonly stage: string;
  /** The Java name of what failed. */
  readonly className: string;
  readonly error: LetterError;
}

export interface LetterHeader {
  readonly name: Uint8Array;
  readonly value: Uint8Array | null;
}

/** I5: a trace may quote a record, which can be as large as a message. */
const traceCharsMax = 32_768;

/** The step in plain words, and what a person may do when it fails. */
const stages: Readonly<Record<string, { did: string; remedy: string }>> = {
  TRANSFORMATION: {
    did: "transforming",
    remedy: "adapt the transform's settings, or let a predicate keep it from such records",
  },
  KEY_CONVERTER: {
    did: "converting the key of",
    remedy: "check that key.converter and its settings fit what the topic holds",
  },
  VALUE_CONVERTER: {
    did: "converting the value of",
    remedy: "check that value.converter and its settings fit what the topic holds",
  },
  HEADER_CONVERTER: {
    did: "converting the headers of",
    remedy: "check that header.converter and its settings fit what the topic holds",
  },
  TASK_PUT: {
    did: "putting",
    remedy: "mend the record or what the connector writes to, then send it again",
  },
  KAFKA_PRODUCE: {
    did: "writing",
    remedy: "check the topic's settings and what the worker may do with it",
  },
};

type Which = Pick<DeadLetter, "original" | "source" | "stage" | "className">;

/** What was being done to which record, where, and what a person may do when it fails. */
export function failedWork(letter: Which): { readonly what: string; readonly remedy: string } {
  const { did, remedy } = stages[letter.stage] ?? { did: "handling", remedy: "see the cause" };
  return { what: `${did} ${whichRecord(letter)} failed in ${letter.className}`, remedy };
}

function whichRecord({ original, source }: Which): string {
  if (original !== null) {
    return `the record ${original.topic}-${original.partition}@${original.offset}`;
  }
  if (source === undefined) return "a record of the source";
  const { topic, place, index } = source;
  const where =
    place.partition === null
      ? `record ${index + 1} of a batch`
      : `the record of source partition ${place.partition} at offset ${place.offset}`;
  return `${where} for topic ${topic}`;
}

/** What a person reads first of a failed record: what was done, to which, why it failed, what to do. */
export function failureSentence(letter: Which, why: string, hint: string | undefined): string {
  const { what, remedy } = failedWork(letter);
  const reason = oneLine(why).replace(/[.:\s]+$/, "");
  const because = reason === "" ? "" : `: ${reason}`;
  return `${what}${because}; ${oneLine(hint ?? remedy)}`;
}

/** What a step of the host threw. */
export function letterErrorOf(error: unknown, letter: Which): LetterError {
  const className = javaClassOfError(error);
  const message = error instanceof Error ? error.message : String(error);
  const sentence = failureSentence(letter, errorLine(error), errorHint(error));
  const trace = [`${className}: ${message}`, `\t${sentence}`, ...frames(error)];
  let cause = causeOf(error);
  for (let depth = 0; cause !== undefined && depth < 10; depth += 1) {
    const text = cause instanceof Error ? cause.message : String(cause);
    trace.push(`Caused by: ${javaClassOfError(cause)}: ${text}`, ...frames(cause));
    cause = causeOf(cause);
  }
  return { className, message, trace: bounded(trace.join("\n")) };
}

/** What a plugin said of a record; its own stack is kept. */
export function letterErrorOfPlugin(failure: Failure, letter: Which): LetterError {
  const className = failure.exceptionClass || "org.apache.kafka.connect.errors.ConnectException";
  const hint = failure.hint === "" ? undefined : failure.hint;
  const sentence = failureSentence(letter, failure.text, hint);
  const head = `${className}: ${failure.text}`;
  const rest = failureTrace(failure);
  const below = rest.startsWith(head) ? rest.slice(head.length).replace(/^\n/, "") : rest;
  const trace = [head, `\t${sentence}`, ...(below === "" ? [] : [below])];
  return { className, message: failure.text, trace: bounded(trace.join("\n")) };
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? (error.cause ?? undefined) : undefined;
}

/** The lines of a stack below its message, as Java indents them. */
function frames(error: unknown): string[] {
  if (!(error instanceof Error) || error.stack === undefined) return [];
  return error.stack.split("\n").flatMap((line) => {
    const frame = /^\s+at (.*)$/.exec(line);
    return frame === null ? [] : [`\tat ${frame[1]}`];
  });
}

function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, " ").trim();
}

function bounded(trace: string): string {
  return trace.length <= traceCharsMax ? trace : `${trace.slice(0, traceCharsMax)}\n\t... cut off`;
}

/** What the headers say of the task. */
export interface LetterSender {
  readonly connector: string;
  readonly task: number;
}

/**
 * Makes `record` the dead letter: original bytes, then the context headers behind the record's own.
 * `topic` and `partition` are the caller's. Without a trace where there is no room for one.
 */
export function fillDeadLetter(
  record: RecordSlice,
  letter: DeadLetter,
  context: LetterSender | undefined,
  withTrace = true,
): void {
  record.timestampMs = letter.timestampMs;
  place(record.key, letter.key);
  place(record.value, letter.value);
  record.headerCount = 0;
  for (const { name, value } of letter.headers) addHeader(record, name, value);
  if (context === undefined) return;
  const { original, error } = letter;
  if (original !== null) {
    addHeader(record, names.topic, utf8(original.topic));
    addHeader(record, names.partition, utf8(String(original.partition)));
    addHeader(record, names.offset, utf8(String(original.offset)));
  }
  if (letter.source !== undefined) {
    const { topic, place } = letter.source;
    addHeader(record, names.topic, utf8(topic));
    if (place.partition !== null) addHeader(record, sourceNames.partition, utf8(place.partition));
    if (place.offset !== null) addHeader(record, sourceNames.offset, utf8(place.offset));
  }
  addHeader(record, names.connector, utf8(context.connector));
  addHeader(record, names.task, utf8(String(context.task)));
  addHeader(record, names.stage, utf8(letter.stage));
  addHeader(record, names.className, utf8(letter.className));
  addHeader(record, names.exceptionClass, utf8(error.className));
  addHeader(record, names.message, error.message === null ? null : utf8(error.message));
  if (withTrace) addHeader(record, names.trace, utf8(error.trace));
}

const name = (text: string) => utf8(`__connect.errors.${text}`);

const names = {
  topic: name("topic"),
  partition: name("partition"),
  offset: name("offset"),
  connector: name("connector.name"),
  task: name("task.id"),
  stage: name("stage"),
  className: name("class.name"),
  exceptionClass: name("exception.class.name"),
  message: name("exception.message"),
  trace: name("exception.stacktrace"),
};

/** Bulkhead's own: Connect writes no dead letters for sources. The texts are JSON. */
const sourceNames = {
  partition: utf8("__bulkhead.errors.source.partition"),
  offset: utf8("__bulkhead.errors.source.offset"),
};

function utf8(text: string): Uint8Array {
  return Buffer.from(text, "utf8");
}

function place(slice: ByteSlice, bytes: Uint8Array | null): void {
  slice.prefix = noBytes;
  slice.suffix = noBytes;
  slice.bytes = bytes ?? noBytes;
  slice.start = bytes === null ? -1 : 0;
  slice.end = bytes === null ? -1 : bytes.length;
}

function addHeader(record: RecordSlice, name: Uint8Array, value: Uint8Array | null): void {
  const start = value === null ? -1 : 0;
  const end = value === null ? -1 : value.length;
  record.headers[record.headerCount] = { name, bytes: value ?? noBytes, start, end };
  record.headerCount += 1;
}
