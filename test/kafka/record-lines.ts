/** Records as lines of text, the same in Java (BatchRecords.java) and here. */
import { RecordCursor } from "../../src/batch/decode.ts";
import type { BatchBuilder } from "../../src/batch/encode.ts";
import { newRecordSlice } from "../../src/record/record-slice.ts";

type Bytes = string | null;

/** A record in words; `null` is null. */
export interface WordRecord {
  timestampMs: number;
  key: Bytes;
  value: Bytes;
  headers: [name: string, value: Bytes][];
}

/** What is easily got wrong, then many that are alike, so that there is something to compress. */
export function trickyRecords(count: number): WordRecord[] {
  const base = 1_722_000_000_000;
  const tricky: WordRecord[] = [
    { timestampMs: base, key: "k", value: "v", headers: [] },
    { timestampMs: base + 50, key: null, value: null, headers: [] },
    { timestampMs: base - 5_000_000_000, key: "", value: "", headers: [] },
    { timestampMs: 0, key: "\0\0\0\0", value: "Füße 🦶", headers: [["", "empty name"]] },
    {
      timestampMs: base + 1,
      key: "k",
      value: null,
      headers: [
        ["a", "1"],
        ["b", null],
        ["a", "2"],
        ["", ""],
        ["a", null],
        ["b", "x".repeat(300)],
        ["a", "1"],
      ],
    },
  ];
  return Array.from({ length: count }, (_, n) => {
    const given = tricky[n];
    if (given !== undefined) return given;
    const value = `{"id":${n},"name":"user ${(n * 7_919) % 997}","text":"${"x".repeat(n % 90)}"}`;
    return { timestampMs: base + n * 3, key: `key ${n % 10}`, value, headers: [["trace", `${n}`]] };
  });
}

/** Puts all of them into a batch. */
export function appendAll(builder: BatchBuilder, records: readonly WordRecord[]): void {
  const slice = newRecordSlice();
  for (const { timestampMs, key, value, headers } of records) {
    Object.assign(slice.key, placesOf(key));
    Object.assign(slice.value, placesOf(value));
    slice.headers = headers.map(([name, of]) => ({ name: Buffer.from(name), ...placesOf(of) }));
    slice.headerCount = headers.length;
    builder.append(slice, timestampMs);
  }
}

function placesOf(text: Bytes): { bytes: Uint8Array; start: number; end: number } {
  const bytes = Buffer.from(text ?? "");
  return { bytes, start: text === null ? -1 : 0, end: text === null ? -1 : bytes.length };
}

/** A line without offset, as Java takes it. */
export function lineOf({ timestampMs, key, value, headers }: WordRecord): string {
  const pairs = headers.map(([name, of]) => `${hex(name)}:${hex(of)}`);
  return `${timestampMs} ${hex(key)} ${hex(value)} ${pairs.join(",")}`;
}

function hex(text: Bytes): string {
  return text === null ? "-" : Buffer.from(text).toString("hex");
}

/** What is in a run of batches, a line for each record, its offset in front. */
export function linesIn(run: { batches: Uint8Array; firstOffset: number }): string[] {
  const cursor = new RecordCursor();
  cursor.reset(run);
  const lines: string[] = [];
  const text = (bytes: Uint8Array, start: number, end: number) =>
    start < 0 ? "-" : Buffer.from(bytes.subarray(start, end)).toString("hex");
  while (cursor.next()) {
    const pairs = cursor.headers.slice(0, cursor.headerCount).map(({ name, bytes, start, end }) => {
      return `${Buffer.from(name).toString("hex")}:${text(bytes, start, end)}`;
    });
    const { bytes, keyStart, keyEnd, valueStart, valueEnd } = cursor;
    const key = text(bytes, keyStart, keyEnd);
    const value = text(bytes, valueStart, valueEnd);
    lines.push(`${cursor.offset} ${cursor.timestampMs} ${key} ${value} ${pairs.join(",")}`);
  }
  return lines;
}
