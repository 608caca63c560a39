/** Records from the log as places in its batches: without transforms a converter mostly passes bytes on. */
import type { RecordCursor } from "../batch/decode.ts";
import type { SinkPiece } from "../convert/converter.ts";
import type { TopicPartition } from "../kafka/kafka.ts";
import { nullForm } from "../record/columns.ts";
import { noBytes } from "../record/record-slice.ts";
import type { RecordStep } from "./record-failures.ts";
import type { SinkWay } from "./sink-way.ts";
import { converterStep } from "./source-lanes.ts";
import type { RecordConverters } from "./task.ts";

export class SinkLanes implements SinkWay {
  readonly #parts: RecordConverters;
  readonly key = newPiece();
  readonly value = newPiece();
  readonly #header = newPiece();
  readonly mayMove = false;
  #cursor!: RecordCursor;
  topic = "";
  partition = -1;
  #at: "key" | "value" | "header" = "key";
  /** The cursor keeps the array of a name that comes again, so names are decoded once. */
  readonly #names = new WeakMap<Uint8Array, string>();

  constructor(parts: RecordConverters) {
    this.#parts = parts;
  }

  get step(): RecordStep {
    return converterStep(this.#at, this.#parts);
  }

  read(cursor: RecordCursor, { topic, partition }: TopicPartition): boolean {
    this.#cursor = cursor;
    this.topic = topic;
    this.partition = partition;
    this.readKey(cursor);
    this.readValue(cursor);
    return true;
  }

  /** The one part; `step` as with all of them. */
  readKey(cursor: RecordCursor): void {
    this.#at = "key";
    const { bytes, keyStart, keyEnd } = cursor;
    this.#parts.keyConverter.toPlugin(bytes, keyStart, keyEnd, this.key);
  }

  readValue(cursor: RecordCursor): void {
    this.#at = "value";
    const { bytes, valueStart, valueEnd } = cursor;
    this.#parts.valueConverter.toPlugin(bytes, valueStart, valueEnd, this.value);
  }

  get timestampMs(): number {
    return this.#cursor.timestampMs;
  }

  get headerCount(): number {
    return this.#cursor.headerCount;
  }

  /** Header values rarely grow, and never by much. */
  headerBytes(): number {
    const { headers, headerCount } = this.#cursor;
    let size = 0;
    for (let index = 0; index < headerCount; index += 1) {
      const header = headers[index];
      if (header !== undefined) size += 2 * (header.end - header.start) + 32;
    }
    return size;
  }

  headerName(index: number): string {
    const bytes = this.#cursor.headers[index]?.name ?? noBytes;
    const known = this.#names.get(bytes);
    if (known !== undefined) return known;
    const text = Buffer.from(bytes).toString("utf8");
    this.#names.set(bytes, text);
    return text;
  }

  header(index: number): SinkPiece {
    const { bytes, start, end } = this.#cursor.headers[index] ?? this.#header;
    this.#at = "header";
    this.#parts.headerConverter.toPlugin(bytes, start, end, this.#header);
    return this.#header;
  }
}

export function newPiece(): SinkPiece {
  return { form: nullForm, bytes: noBytes, start: -1, end: -1 };
}
