/** A record of a log as a line for a person or a program. */
import type { HeaderSlice } from "../record/record-slice.ts";

export type RecordFormat = "text" | "json" | "hex";

/** What is shown beside the value; JSON always has everything. */
export interface ShownParts {
  readonly format: RecordFormat;
  readonly timestamps: boolean;
  readonly offsets: boolean;
  readonly headers: boolean;
  readonly keys: boolean;
}

/** One record as places in bytes; a start of -1 is null. What `RecordCursor` shows has this shape. */
export interface ShownRecord {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly timestampMs: number;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
  readonly headers: readonly HeaderSlice[];
  readonly headerCount: number;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Without the line break. Fields stand in the order in which Kafka's console consumer prints them, with
 * tabs between; `null` is what is not there. JSON is one object; bytes that are no UTF-8 are
 * `{"base64":"…"}` in it, and hexadecimal digits nowhere but in the format hex.
 */
export function recordText(
  topic: string,
  partition: number,
  record: ShownRecord,
  shown: ShownParts,
): string {
  if (shown.format === "json") return JSON.stringify(jsonOf(topic, partition, record));
  const written = shown.format === "hex" ? hexOf : textOf;
  const { bytes } = record;
  const fields: string[] = [];
  if (shown.timestamps) fields.push(timeOf(record.timestampMs) ?? "null");
  if (shown.offsets) fields.push(`${partition}:${record.offset}`);
  if (shown.headers) fields.push(headersOf(record, written));
  if (shown.keys) fields.push(written(bytes, record.keyStart, record.keyEnd));
  fields.push(written(bytes, record.valueStart, record.valueEnd));
  return fields.join("\t");
}

function headersOf(
  { headers, headerCount }: ShownRecord,
  written: (bytes: Uint8Array, start: number, end: number) => string,
): string {
  return headers
    .slice(0, headerCount)
    .map(({ name, bytes, start, end }) => `${decoded(name)}:${written(bytes, start, end)}`)
    .join(",");
}

function jsonOf(topic: string, partition: number, record: ShownRecord): object {
  const { bytes, offset, timestampMs, headers, headerCount } = record;
  return {
    topic,
    partition,
    offset,
    timestamp: timeOf(timestampMs),
    headers: headers.slice(0, headerCount).map((header) => ({
      key: decoded(header.name),
      value: jsonValue(header.bytes, header.start, header.end),
    })),
    key: jsonValue(bytes, record.keyStart, record.keyEnd),
    value: jsonValue(bytes, record.valueStart, record.valueEnd),
  };
}

/** A part of a record in JSON: text, or `{"base64":"…"}` for what is no UTF-8; a start of -1 is null. */
export function jsonValue(bytes: Uint8Array, start: number, end: number): string | object | null {
  if (start < 0) return null;
  const part = bytes.subarray(start, end);
  try {
    return utf8.decode(part);
  } catch {
    return { base64: Buffer.from(part).toString("base64") };
  }
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return start < 0 ? "null" : decoded(bytes.subarray(start, end));
}

function hexOf(bytes: Uint8Array, start: number, end: number): string {
  return start < 0 ? "null" : Buffer.from(bytes.subarray(start, end)).toString("hex");
}

function decoded(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
}

/** Null for a record without a time, and for one that no calendar has. */
function timeOf(ms: number): string | null {
  const date = new Date(ms);
  return ms < 0 || Number.isNaN(date.getTime()) ? null : date.toISOString();
}
