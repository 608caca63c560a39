/**
 * A plugin's records as places in its batch: without transforms a converter mostly passes bytes on. In
 * the copy and wrap lanes nothing is allocated per record.
 */
import type { SourcePlan } from "../convert/converter.ts";
import { undefinedId } from "../convert/row-record.ts";
import type { Columns, Definitions, Form } from "../record/columns.ts";
import type { RecordRow } from "../record/record-row.ts";
import { type ByteSlice, noBytes, type RecordSlice } from "../record/record-slice.ts";
import type { RecordStep } from "./record-failures.ts";
import { type ConvertParts, produceStep, requireWritable, type SourceWay } from "./source-way.ts";
import type { RecordConverters } from "./task.ts";

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

export class SourceLanes implements SourceWay {
  readonly #parts: ConvertParts;
  /** The plugin promised canonical JSON texts, so they may be passed on unparsed. */
  readonly #canonicalJson: boolean;
  #known: Known | undefined;
  #at: "key" | "value" | "header" | "record" = "record";

  constructor(parts: ConvertParts, canonicalJson: boolean) {
    this.#parts = parts;
    this.#canonicalJson = canonicalJson;
  }

  get step(): RecordStep {
    return converterStep(this.#at, this.#parts);
  }

  begin(_columns: Columns, definitions: Definitions): void {
    if (this.#known?.definitions === definitions) return;
    this.#known = { definitions, topics: [], keys: [], values: [], headers: [], names: [] };
  }

  /** Headers first and the value last, as Connect converts them: of two that fail the first is told. */
  fill(row: RecordRow, record: RecordSlice): boolean {
    const known = this.#known as Known;
    this.#at = "record";
    record.topic = known.topics[row.topicId] ?? this.#topic(known, row.topicId);
    record.partition = row.partition;
    record.timestampMs = row.timestampMs();
    this.fillHeaders(row, record);
    this.fillKey(row, record);
    this.fillValue(row, record);
    return true;
  }

  /** The one part; `begin` and `step` as with all of them. */
  fillKey(row: RecordRow, record: RecordSlice): void {
    const known = this.#known as Known;
    this.#at = "key";
    const keyPlan = known.keys[row.keyForm] ?? this.#plan(known.keys, known, row.keyForm);
    fill(record.key, keyPlan, row.arena, row.keyStart, row.keyEnd);
  }

  fillValue(row: RecordRow, record: RecordSlice): void {
    const known = this.#known as Known;
    this.#at = "value";
    const valuePlan = known.values[row.valueForm] ?? this.#plan(known.values, known, row.valueForm);
    fill(record.value, valuePlan, row.arena, row.valueStart, row.valueEnd);
  }

  /** Once for each id. */
  #topic(known: Known, id: number): string {
    const topic = known.definitions.topics[id];
    if (topic === undefined) throw undefinedId("topic", id);
    requireWritable(topic, this.#parts.topicsRefused);
    known.topics[id] = topic;
    return topic;
  }

  /** Once for each form, of the part that is at hand. */
  #plan(plans: Plans, known: Known, id: number): SourcePlan {
    const form: Form | undefined = known.definitions.forms[id];
    if (form === undefined) throw undefinedId("form", id);
    const { keyConverter, valueConverter, headerConverter } = this.#parts;
    const converters = { key: keyConverter, value: valueConverter, header: headerConverter };
    const made = converters[this.#at as "key"].sourcePlan(form, this.#canonicalJson);
    plans[id] = made;
    return made;
  }

  fillHeaders(row: RecordRow, record: RecordSlice): void {
    record.headerCount = 0;
    if (row.headerCount === 0) return;
    const known = this.#known as Known;
    const { headers } = record;
    this.#at = "header";
    row.firstHeader();
    let index = 0;
    for (; row.nextHeader(); index += 1) {
      headers[index] ??= { name: noBytes, bytes: noBytes, start: -1, end: -1 };
      const slice = headers[index] as (typeof headers)[number];
      slice.name = headerName(known, row.headerName);
      const { headerForm: form } = row;
      const plan = known.headers[form] ?? this.#plan(known.headers, known, form);
      const bytes = whole(plan, row.arena, row.headerStart, row.headerEnd);
      slice.bytes = bytes.bytes;
      slice.start = bytes.start;
      slice.end = bytes.end;
    }
    record.headerCount = index;
  }
}

/** The converter that was at work; `record`: what Kafka itself asks of a record. */
export function converterStep(
  at: "key" | "value" | "header" | "record",
  { converterClasses }: Pick<RecordConverters, "converterClasses">,
): RecordStep {
  if (at === "record") return produceStep;
  return { stage: converterStages[at], className: converterClasses[at] };
}

const converterStages = {
  key: "KEY_CONVERTER",
  value: "VALUE_CONVERTER",
  header: "HEADER_CONVERTER",
} as const;

function headerName(known: Known, id: number): Uint8Array {
  const encoded = known.names[id];
  if (encoded !== undefined) return encoded;
  const name = known.definitions.names[id];
  if (name === undefined) throw undefinedId("header name", id);
  const made = Buffer.from(name, "utf8");
  known.names[id] = made;
  return made;
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
