import { type ExactJson, readExact } from "./exact-json.ts";
import { DataError } from "./plugin-error.ts";
import type { InForm, PutBatch } from "./put-batch.ts";
import type { Schema } from "./schema.ts";
import { readValue } from "./value-reader.ts";

/** A header of a record from Kafka. */
export interface SinkHeader {
  readonly name: string;
  readonly value: unknown;
  readonly schema: Schema | null;
}

const unread = Symbol("unread");
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * A record from Kafka. Its key, value and headers are decoded when they are looked at: bytes as
 * Uint8Array, text as string, anything else by its schema (int64 as bigint, dates as Date, maps as
 * Map, structs as objects) or, without one, as JSON data.
 */
export class SinkRecord {
  /** Its place in the batch. */
  readonly index: number;
  readonly #batch: PutBatch;
  #key: unknown = unread;
  #value: unknown = unread;

  /** @internal */
  constructor(batch: PutBatch, index: number) {
    this.#batch = batch;
    this.index = index;
  }

  get topic(): string {
    return this.#batch.definitions.topics[one(this.#batch.topics, this.index)]!;
  }

  /** Kafka's partition. */
  get partition(): number {
    return one(this.#batch.partitions, this.index) - 1;
  }

  /** Kafka's offset. */
  get offset(): number {
    return this.#batch.offsets[this.index]!;
  }

  /** Where the record was read, before a transform changed its topic. */
  get originalTopic(): string {
    const { originalTopics, definitions } = this.#batch;
    if (originalTopics.length === 0) return this.topic;
    return definitions.topics[one(originalTopics, this.index)] ?? this.topic;
  }

  get originalPartition(): number {
    const { originalPartitions } = this.#batch;
    return originalPartitions.length === 0
      ? this.partition
      : one(originalPartitions, this.index) - 1;
  }

  /** Milliseconds since the epoch; null = none. */
  get timestamp(): number | null {
    const { timestamps } = this.#batch;
    const value = timestamps[timestamps.length === 1 ? 0 : this.index] ?? -1;
    return value === -1 ? null : value;
  }

  get timestampType(): "none" | "create" | "append" {
    const { timestampTypes } = this.#batch;
    const type = timestampTypes.length === 0 ? 1 : one(timestampTypes, this.index);
    return type === 0 ? "none" : type === 2 ? "append" : "create";
  }

  get key(): unknown {
    if (this.#key === unread) {
      const start = this.#batch.starts[this.index]!;
      this.#key = this.#read(start, this.keySize, this.#keyForm);
    }
    return this.#key;
  }

  get keySchema(): Schema | null {
    return this.#keyForm.schema;
  }

  get value(): unknown {
    if (this.#value === unread) {
      this.#value = this.#read(this.#valueStart, this.valueSize, this.#valueForm);
    }
    return this.#value;
  }

  get valueSchema(): Schema | null {
    return this.#valueForm.schema;
  }

  /** Bytes of the key as it was sent; -1 = null. */
  get keySize(): number {
    return (this.#batch.keySizes[this.index] ?? 0) - 1;
  }

  /** Bytes of the value as it was sent; -1 = null. */
  get valueSize(): number {
    return (this.#batch.valueSizes[this.index] ?? 0) - 1;
  }

  /** The bytes, text or JSON text of the value as it was sent; null = null. */
  get valueBytes(): Uint8Array | null {
    const size = this.valueSize;
    const start = this.#valueStart;
    return size < 0 ? null : this.#batch.arena.subarray(start, start + size);
  }

  /** How `valueBytes` is to be read. */
  get valueEncoding(): "bytes" | "text" | "json" {
    return this.#valueForm.encoding;
  }

  /** JSON data with what `value` loses: floats told from integers, members in order. */
  exactValue(): ExactJson | Uint8Array {
    const bytes = this.valueBytes;
    if (bytes === null) return null;
    if (this.valueEncoding === "bytes") return bytes;
    const text = decodeText(bytes);
    return this.valueEncoding === "text" ? text : readExact(text);
  }

  get headers(): readonly SinkHeader[] {
    const batch = this.#batch;
    const first = batch.headerStarts[this.index];
    if (first === undefined) return [];
    const headers: SinkHeader[] = [];
    let at = this.#valueStart + Math.max(0, this.valueSize);
    for (let row = first; row < first + batch.headerCounts[this.index]!; row += 1) {
      const size = (batch.headerSizes[row] ?? 0) - 1;
      const form = batch.definitions.form(one(batch.headerForms, row));
      const name = batch.definitions.names[batch.headerNames[row]!]!;
      headers.push({ name, value: this.#read(at, size, form), schema: form.schema });
      at += Math.max(0, size);
    }
    return headers;
  }

  get #keyForm(): InForm {
    return this.#batch.definitions.form(one(this.#batch.keyForms, this.index));
  }

  get #valueForm(): InForm {
    return this.#batch.definitions.form(one(this.#batch.valueForms, this.index));
  }

  get #valueStart(): number {
    return this.#batch.starts[this.index]! + Math.max(0, this.keySize);
  }

  #read(start: number, size: number, form: InForm): unknown {
    if (size < 0) return null;
    const bytes = this.#batch.arena.subarray(start, start + size);
    if (form.encoding === "bytes") return bytes;
    const text = decodeText(bytes);
    return form.encoding === "text" ? text : readValue(text, form.schema);
  }
}

/** A column of one entry holds for every row; an empty one is all 0. */
function one(column: Uint32Array, row: number): number {
  return column[column.length === 1 ? 0 : row] ?? 0;
}

function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new DataError("a text is not UTF-8", { cause });
  }
}
