import { ConfigError, RecordError, TaskError } from "../base/error.ts";
import type { Producer, Receipt } from "../kafka/kafka.ts";
import { type ByteSlice, newRecordSlice, type RecordSlice } from "../record/record-slice.ts";
import { type LogOptions, openLogOf } from "./log-access.ts";

/** I5: a line of stdin longer than that is no record. */
const lineBytesMax = 64 * 1024 * 1024;
const closeMsMax = 30_000;
const lineBreak = 10;

/** A delivery has to have time for linger.ms and one request at least. */
export const writeConfig = { "delivery.timeout.ms": "30000", "request.timeout.ms": "15000" };

export interface WriteOptions extends LogOptions {
  readonly keySeparator?: string;
  /** The text that stands for null. */
  readonly null?: string;
  readonly partition?: number;
  /** `key=value`, on every record. */
  readonly header?: readonly string[];
}

/**
 * Writes each line of stdin as a record; says on stderr how many are stored.
 * @throws TaskError naming the first line that could not be written; those before it are stored
 */
export async function writeTopic(topic: string, options: WriteOptions): Promise<void> {
  const writer = new LineWriter(topic, options);
  const { kafka, producer } = await openLogOf(options, { at: "write" });
  try {
    const config = { ...writeConfig, ...producer };
    await writer.write(kafka.producer({ clientId: "bulkhead-write", config }), process.stdin);
  } finally {
    await kafka.close();
  }
  const { stored } = writer;
  process.stderr.write(`wrote ${stored} ${stored === 1 ? "record" : "records"} to ${topic}\n`);
}

class LineWriter {
  stored = 0;
  readonly #record: RecordSlice = newRecordSlice();
  readonly #separator: Buffer | undefined;
  readonly #null: Buffer | undefined;
  #lines = 0;
  #failure: { line: number; error: Error } | undefined;

  constructor(topic: string, { keySeparator, null: nullText, partition, header }: WriteOptions) {
    if (keySeparator === "") {
      throw new ConfigError("config.invalid", "cannot part keys from values by an empty separator");
    }
    this.#separator = keySeparator === undefined ? undefined : Buffer.from(keySeparator);
    this.#null = nullText === undefined ? undefined : Buffer.from(nullText);
    this.#record.topic = topic;
    this.#record.partition = partition ?? -1;
    for (const text of header ?? []) addHeader(this.#record, text);
  }

  /** Whole lines only go out; what is behind the last line break is a line too. */
  async write(producer: Producer, input: AsyncIterable<Buffer>): Promise<void> {
    let rest: Buffer = Buffer.alloc(0);
    for await (const chunk of input) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let start = 0;
      for (let end = bytes.indexOf(lineBreak); end >= 0; end = bytes.indexOf(lineBreak, start)) {
        this.#send(producer, bytes.subarray(start, end));
        start = end + 1;
      }
      rest = bytes.subarray(start);
      if (rest.length > lineBytesMax) this.#fail(this.#lines + 1, tooLong());
      if (this.#failure !== undefined) break;
      await producer.room();
    }
    if (rest.length > 0) this.#send(producer, rest);
    await producer.close(closeMsMax);
    this.#assertWritten();
  }

  readonly #receipt: Receipt = {
    stored: (_lines, from, to) => {
      this.stored += to - from;
    },
    failed: (lines, from, _to, error) => this.#fail(lines[from] ?? 0, error),
  };

  #send(producer: Producer, line: Buffer): void {
    this.#lines += 1;
    if (this.#failure !== undefined) return;
    try {
      this.#pointAt(line);
      producer.send(this.#record, this.#receipt, this.#lines);
    } catch (error) {
      this.#fail(this.#lines, error as Error);
    }
  }

  #pointAt(line: Buffer): void {
    const { key, value } = this.#record;
    if (this.#separator === undefined) {
      point(key, null);
      point(value, this.#orNull(line));
      return;
    }
    const at = line.indexOf(this.#separator);
    if (at < 0) throw new RecordError("command.line_invalid", "it has no key separator");
    point(key, this.#orNull(line.subarray(0, at)));
    point(value, this.#orNull(line.subarray(at + this.#separator.length)));
  }

  #orNull(bytes: Buffer): Buffer | null {
    return this.#null?.equals(bytes) ? null : bytes;
  }

  #fail(line: number, error: Error): void {
    if (this.#failure === undefined || line < this.#failure.line) this.#failure = { line, error };
  }

  #assertWritten(): void {
    if (this.#failure === undefined) return;
    const { line, error } = this.#failure;
    const text = `cannot write line ${line} to ${this.#record.topic} (${this.stored} are written)`;
    throw new TaskError("task.produce_failed", text, { cause: error });
  }
}

function tooLong(): RecordError {
  return new RecordError("record.too_large", `it is longer than ${lineBytesMax} bytes`);
}

function point(slice: ByteSlice, bytes: Buffer | null): void {
  if (bytes !== null) slice.bytes = bytes;
  slice.start = bytes === null ? -1 : 0;
  slice.end = bytes === null ? -1 : bytes.length;
}

function addHeader(record: RecordSlice, text: string): void {
  const at = text.indexOf("=");
  if (at < 0) {
    throw new ConfigError("config.invalid", `cannot use the header ${text}: it is not key=value`);
  }
  const bytes = Buffer.from(text.slice(at + 1));
  record.headers.push({ name: Buffer.from(text.slice(0, at)), bytes, start: 0, end: bytes.length });
  record.headerCount += 1;
}
