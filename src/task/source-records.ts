/**
 * From a plugin's batch to the producer: walks the columns and hands each record over as places in
 * the arena. In the copy and wrap lanes nothing is allocated per record.
 */
import { RecordError, TaskError } from "../base/error.ts";
import type { Converter, HeaderConverter, SourcePlan } from "../convert/converter.ts";
import type { Producer, Receipt } from "../kafka/kafka.ts";
import type { Columns, Definitions, Form } from "../record/columns.ts";
import { type ByteSlice, newRecordSlice, noBytes } from "../record/record-slice.ts";

export interface SourceConverters {
  readonly key: Converter;
  readonly value: Converter;
  readonly header: HeaderConverter;
  /** The plugin promised canonical JSON texts, so they may be passed on unparsed. */
  readonly canonicalJson: boolean;
  readonly topicsRefused: ReadonlySet<string>;
}

type Plans = (SourcePlan | undefined)[];

/** What was worked out for the ids of one Definitions object. */
interface Known {
  readonly definitions: Definitions;
  /** Names that were found to be allowed. */
  readonly topics: (string | undefined)[];
  readonly keys: Plans;
  readonly values: Plans;
  readonly headers: Plans;
  readonly names: (Uint8Array | undefined)[];
}

export class SourceRecords {
  readonly #converters: SourceConverters;
  readonly #record = newRecordSlice();
  #known: Known | undefined;

  constructor(converters: SourceConverters) {
    this.#converters = converters;
  }

  /**
   * Sends every record of the batch.
   * @throws RecordError for the first that cannot be converted or stored; those before it are sent.
   */
  send(columns: Columns, definitions: Definitions, producer: Producer, receipt: Receipt): void {
    const known = this.#knownFor(definitions);
    const record = this.#record;
    const { arena, keySizes, valueSizes, keyForms, valueForms, timestamps } = columns;
    const { topics, partitions, headerCounts } = columns;
    record.headerCount = 0;
    let at = 0;
    let header = 0;
    for (let index = 0; index < columns.count; index += 1) {
      const topic = topics.length === 1 ? topics[0] : topics[index];
      record.topic = known.topics[topic as number] ?? this.#topic(known, topic as number);
      record.partition = one(partitions, index, 0) - 1;
      record.timestampMs = timestampAt(timestamps, index);
      const keySize = keySizes.length === 0 ? 0 : (keySizes[index] as number);
      const keyEnd = keySize === 0 ? at : at + keySize - 1;
      const keyPlan = this.#plan(known.keys, known, one(keyForms, index, 0), this.#converters.key);
      fill(record.key, keyPlan, arena, keySize === 0 ? -1 : at, keyEnd);
      at = keyEnd;
      const valueSize = valueSizes.length === 0 ? 0 : (valueSizes[index] as number);
      const end = valueSize === 0 ? at : at + valueSize - 1;
      const form = one(valueForms, index, 0);
      const valuePlan = this.#plan(known.values, known, form, this.#converters.value);
      fill(record.value, valuePlan, arena, valueSize === 0 ? -1 : at, end);
      at = end;
      if (headerCounts.length > 0) {
        const count = headerCounts[index] as number;
        at = this.#headers(known, columns, header, count, at);
        header += count;
      }
      producer.send(record, receipt, index);
    }
  }

  #knownFor(definitions: Definitions): Known {
    if (this.#known?.definitions !== definitions) {
      this.#known = { definitions, topics: [], keys: [], values: [], headers: [], names: [] };
    }
    return this.#known as Known;
  }

  /** Once for each id. @throws TaskError for a topic that is not a plugin's to write */
  #topic(known: Known, id: number): string {
    const topic = known.definitions.topics[id];
    if (topic === undefined) throw undefinedId("topic", id);
    if (this.#converters.topicsRefused.has(topic)) {
      throw new TaskError(
        "task.topic_refused",
        `cannot write a record to topic ${topic}: no connector may write to it`,
      );
    }
    known.topics[id] = topic;
    return topic;
  }

  #plan(
    plans: Plans,
    known: Known,
    id: number,
    converter: Converter | HeaderConverter,
  ): SourcePlan {
    const plan = plans[id];
    if (plan !== undefined) return plan;
    const form: Form | undefined = known.definitions.forms[id];
    if (form === undefined) throw undefinedId("form", id);
    const made = converter.sourcePlan(form, this.#converters.canonicalJson);
    plans[id] = made;
    return made;
  }

  #headers(known: Known, columns: Columns, first: number, count: number, start: number): number {
    const { arena, headerSizes, headerForms, headerNames } = columns;
    const { headers } = this.#record;
    this.#record.headerCount = count;
    let at = start;
    for (let index = 0; index < count; index += 1) {
      headers[index] ??= { name: noBytes, bytes: noBytes, start: -1, end: -1 };
      const slice = headers[index] as (typeof headers)[number];
      slice.name = headerName(known, headerNames[first + index] as number);
      const size = headerSizes.length === 0 ? 0 : (headerSizes[first + index] as number);
      const end = size === 0 ? at : at + size - 1;
      const form = one(headerForms, first + index, 0);
      const plan = this.#plan(known.headers, known, form, this.#converters.header);
      const bytes = whole(plan, arena, size === 0 ? -1 : at, end);
      slice.bytes = bytes.bytes;
      slice.start = bytes.start;
      slice.end = bytes.end;
      at = end;
    }
    return at;
  }
}

function headerName(known: Known, id: number): Uint8Array {
  const encoded = known.names[id];
  if (encoded !== undefined) return encoded;
  const name = known.definitions.names[id];
  if (name === undefined) throw undefinedId("header name", id);
  const made = Buffer.from(name, "utf8");
  known.names[id] = made;
  return made;
}

function undefinedId(kind: string, id: number): TaskError {
  return new TaskError(
    "plugin.protocol_error",
    `the plugin sent a record with ${kind} id ${id}, which it has not defined`,
  );
}

/** A column of length 0, 1 or N at `index`. */
function one(column: Uint32Array, index: number, absent: number): number {
  if (column.length === 0) return absent;
  return (column.length === 1 ? column[0] : column[index]) as number;
}

function timestampAt(timestamps: Float64Array, index: number): number {
  if (timestamps.length === 0) return -1;
  const timestampMs = (timestamps.length === 1 ? timestamps[0] : timestamps[index]) as number;
  if (timestampMs < -1) {
    throw new RecordError("record.timestamp", `Invalid record timestamp ${timestampMs}`);
  }
  return timestampMs;
}

function fill(
  slice: ByteSlice,
  plan: SourcePlan,
  arena: Uint8Array,
  start: number,
  end: number,
): void {
  slice.prefix = noBytes;
  slice.suffix = noBytes;
  slice.bytes = arena;
  slice.start = start;
  slice.end = end;
  if (start < 0) {
    place(slice, plan.nullValue());
    return;
  }
  const { lane } = plan;
  if (lane.at === "copy") return;
  if (lane.at === "wrap") {
    slice.prefix = lane.prefix;
    slice.suffix = lane.suffix;
    return;
  }
  place(slice, lane.convert(arena, start, end));
}

function place(slice: ByteSlice, bytes: Uint8Array | null): void {
  slice.bytes = bytes ?? noBytes;
  slice.start = bytes === null ? -1 : 0;
  slice.end = bytes === null ? -1 : bytes.length;
}

const scratch: ByteSlice = { bytes: noBytes, start: -1, end: -1, prefix: noBytes, suffix: noBytes };

/** As `fill`, but in one piece: headers are rare, so an envelope around one may be copied together. */
function whole(plan: SourcePlan, arena: Uint8Array, start: number, end: number): ByteSlice {
  fill(scratch, plan, arena, start, end);
  if (scratch.start < 0 || scratch.prefix.length + scratch.suffix.length === 0) {
    // A typed lane may reuse its output for the next header.
    if (scratch.bytes !== arena) scratch.bytes = Uint8Array.from(scratch.bytes);
    return scratch;
  }
  const { prefix, bytes, suffix } = scratch;
  const joined = Buffer.concat([prefix, bytes.subarray(scratch.start, scratch.end), suffix]);
  place(scratch, joined);
  return scratch;
}
