import type { ExactJson } from "./exact-json.ts";
import { SameValue } from "./packer.ts";
import type { InForm, PutBatch } from "./put-batch.ts";
import type { Schema } from "./schema.ts";
import type { SinkHeader, SinkRecord } from "./sink-record.ts";
import type { Header, SourceRecord } from "./source-record.ts";

/** What a transform may say of a record. What it does not say stays. */
export interface RecordChanges {
  readonly topic?: string;
  /** Kafka's partition; null = the host chooses. */
  readonly partition?: number | null;
  /** Milliseconds since the epoch; null = none. */
  readonly timestamp?: number | null;
  readonly key?: unknown;
  /** Of the key; unless said the one it has. Null = none. */
  readonly keySchema?: Schema | null;
  readonly value?: unknown;
  /** Of the value; unless said the one it has. Null = none. */
  readonly valueSchema?: Schema | null;
  readonly headers?: readonly Header[];
}

const nothing: RecordChanges = {};

/**
 * A record on its way between connector and Kafka, as a transform or predicate sees it. Key, value and
 * headers are decoded when they are looked at, as a sink's; what is not changed goes on as it came.
 */
export class StageRecord {
  readonly #row: SinkRecord;
  readonly #batch: PutBatch;
  readonly #changes: RecordChanges;

  /** @internal */
  constructor(batch: PutBatch, row: SinkRecord, changes: RecordChanges = nothing) {
    this.#batch = batch;
    this.#row = row;
    this.#changes = changes;
  }

  /** The same record with something different. */
  with(changes: RecordChanges): StageRecord {
    return new StageRecord(this.#batch, this.#row, { ...this.#changes, ...changes });
  }

  /** From Kafka on its way to a sink; else from a source on its way to Kafka. */
  get isSink(): boolean {
    return this.#batch.offsets.length > 0;
  }

  get topic(): string {
    return this.#changes.topic ?? this.#row.topic;
  }

  /** Kafka's partition; null = the host chooses. */
  get partition(): number | null {
    const { partition } = this.#changes;
    if (partition !== undefined) return partition;
    return this.#row.partition < 0 ? null : this.#row.partition;
  }

  /** Milliseconds since the epoch; null = none. */
  get timestamp(): number | null {
    const { timestamp } = this.#changes;
    return timestamp === undefined ? this.#row.timestamp : timestamp;
  }

  get key(): unknown {
    return "key" in this.#changes ? this.#changes.key : this.#row.key;
  }

  get keySchema(): Schema | null {
    const { keySchema } = this.#changes;
    return keySchema === undefined ? this.#row.keySchema : keySchema;
  }

  get value(): unknown {
    return "value" in this.#changes ? this.#changes.value : this.#row.value;
  }

  get valueSchema(): Schema | null {
    const { valueSchema } = this.#changes;
    return valueSchema === undefined ? this.#row.valueSchema : valueSchema;
  }

  /** JSON data with what `value` loses, as the record came: floats told from integers, members in order. */
  exactValue(): ExactJson | Uint8Array {
    return this.#row.exactValue();
  }

  get headers(): readonly (Header | SinkHeader)[] {
    return this.#changes.headers ?? this.#row.headers;
  }

  /** Kafka's offset; null for a source's record. */
  get offset(): number | null {
    return this.isSink ? this.#row.offset : null;
  }

  get timestampType(): "none" | "create" | "append" {
    return this.#row.timestampType;
  }

  /** Where a sink's record was read, before any transform. */
  get originalTopic(): string {
    return this.#row.originalTopic;
  }

  get originalPartition(): number | null {
    return this.#row.originalPartition < 0 ? null : this.#row.originalPartition;
  }

  /** @internal What the packer is given: unchanged parts as the bytes they came in. */
  outgoing(): SourceRecord {
    const changes = this.#changes;
    const rows = new RawRow(this.#batch, this.#row.index);
    const hasKey = "key" in changes || changes.keySchema !== undefined;
    const hasValue = "value" in changes || changes.valueSchema !== undefined;
    return {
      topic: this.topic,
      partition: this.partition,
      timestamp: this.timestamp,
      key: hasKey ? this.key : rows.key,
      keySchema: hasKey ? this.keySchema : null,
      value: hasValue ? this.value : rows.value,
      valueSchema: hasValue ? this.valueSchema : null,
      headers: changes.headers ?? rows.headers,
    };
  }
}

/** One row of a batch as the bytes it came in. */
export class RawRow {
  readonly #batch: PutBatch;
  readonly #index: number;

  constructor(batch: PutBatch, index: number) {
    this.#batch = batch;
    this.#index = index;
  }

  get key(): SameValue {
    const { keySizes, keyForms, starts } = this.#batch;
    return this.#value(starts[this.#index]!, keySizes[this.#index] ?? 0, keyForms);
  }

  get value(): SameValue {
    const { valueSizes, valueForms } = this.#batch;
    return this.#value(this.#valueStart, valueSizes[this.#index] ?? 0, valueForms);
  }

  get headers(): { name: string; value: SameValue }[] {
    const { headerStarts, headerCounts, headerSizes, headerForms, headerNames, definitions } =
      this.#batch;
    const first = headerStarts[this.#index];
    if (first === undefined) return [];
    const headers: { name: string; value: SameValue }[] = [];
    let at = this.#valueStart + bytesOf(this.#batch.valueSizes[this.#index] ?? 0);
    for (let row = first; row < first + headerCounts[this.#index]!; row += 1) {
      const size = headerSizes[row] ?? 0;
      const value = this.#same(at, size, headerForms[headerForms.length === 1 ? 0 : row] ?? 0);
      headers.push({ name: definitions.names[headerNames[row]!]!, value });
      at += bytesOf(size);
    }
    return headers;
  }

  get #valueStart(): number {
    const { starts, keySizes } = this.#batch;
    return starts[this.#index]! + bytesOf(keySizes[this.#index] ?? 0);
  }

  #value(start: number, size: number, forms: Uint32Array): SameValue {
    return this.#same(start, size, forms[forms.length === 1 ? 0 : this.#index] ?? 0);
  }

  #same(start: number, size: number, formId: number): SameValue {
    const form: InForm = this.#batch.definitions.form(formId);
    const bytes = size === 0 ? null : this.#batch.arena.subarray(start, start + size - 1);
    return new SameValue(bytes, form);
  }
}

function bytesOf(size: number): number {
  return Math.max(0, size - 1);
}
