/**
 * Records from the log as values, which transforms change before the plugin gets them. A key or value that
 * no transform of the chain looks at stays on its lane, as it does without transforms.
 */
import { RecordError } from "../base/error.ts";
import type { RecordCursor } from "../batch/decode.ts";
import type { SinkPiece } from "../convert/converter.ts";
import { FormWriter } from "../convert/form-writer.ts";
import { allParts, type WantedParts } from "../convert/row-record.ts";
import type { Fetched, TopicPartition } from "../kafka/kafka.ts";
import { ByteScratch } from "../record/byte-scratch.ts";
import type { ConnectRecord, Data, Header } from "../record/connect-record.ts";
import { applyStep, type Step, touchedBy } from "../transform/step.ts";
import { CursorRecords } from "./cursor-records.ts";
import type { RecordStep } from "./record-failures.ts";
import { newPiece, SinkLanes } from "./sink-lanes.ts";
import type { SinkWay } from "./sink-way.ts";
import { converterStep } from "./source-lanes.ts";
import type { RecordConverters } from "./task.ts";

/** A header as the plugin gets it, and what that was made of. */
interface Presented extends Data {
  readonly piece: SinkPiece;
}

export class SinkChain implements SinkWay {
  readonly #parts: RecordConverters;
  readonly #records: CursorRecords;
  readonly #steps: readonly Step[];
  readonly #lanes: SinkLanes;
  readonly #touched: WantedParts;
  /** Reads every part; undefined: so does this one. */
  readonly #plain: SinkChain | undefined;
  #isPlain = false;
  readonly #writer = new FormWriter();
  readonly #keyBytes = new ByteScratch();
  readonly #valueBytes = new ByteScratch();
  readonly key: SinkPiece;
  readonly value: SinkPiece;
  readonly #headers: Presented[] = [];
  readonly mayMove = true;
  #record!: ConnectRecord;
  #at: "read" | "lane" | Step = "read";

  /** There is at least one step. `touched` is what they look at; more changes nothing but the cost. */
  constructor(
    parts: RecordConverters,
    steps: readonly Step[],
    touched: WantedParts = touchedBy(steps),
  ) {
    this.#records = new CursorRecords(parts);
    this.#parts = parts;
    this.#steps = steps;
    this.#lanes = new SinkLanes(parts);
    // Headers are few and their lanes share one buffer, so they are always read.
    this.#touched = new Set([...touched, "headers" as const]);
    this.key = touched.has("key") ? newPiece() : this.#lanes.key;
    this.value = touched.has("value") ? newPiece() : this.#lanes.value;
    if (this.#touched.size < allParts.size) this.#plain = new SinkChain(parts, steps, allParts);
  }

  get step(): RecordStep {
    if (this.#isPlain && this.#plain !== undefined) return this.#plain.step;
    const at = this.#at;
    if (typeof at === "object") return { stage: "TRANSFORMATION", className: at.className };
    if (at === "lane") return this.#lanes.step;
    return converterStep(this.#records.part, this.#parts);
  }

  read(cursor: RecordCursor, from: TopicPartition): boolean {
    this.#isPlain = false;
    if (this.#plain === undefined) return this.#read(cursor, from);
    try {
      return this.#read(cursor, from);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      // Messages may quote the whole record, so the one that counts is that of the plain way.
      this.#isPlain = true;
      if (!this.#plain.read(cursor, from)) return false;
      // The two ways are the same, so this does not happen; if it does, the one that failed counts.
      this.#isPlain = false;
      throw error;
    }
  }

  #read(cursor: RecordCursor, from: TopicPartition): boolean {
    const touched = this.#touched;
    this.#at = "lane";
    if (!touched.has("key")) this.#lanes.readKey(cursor);
    this.#at = "read";
    const record = this.#records.read(cursor, from, touched);
    this.#at = "lane";
    if (!touched.has("value")) this.#lanes.readValue(cursor);
    for (const step of this.#steps) {
      this.#at = step;
      if (!applyStep(step, record)) return false;
    }
    // What no form can carry is the last step's doing.
    this.present(record);
    return true;
  }

  /** Makes the pieces what the plugin gets of a record that has been through the chain. @throws RecordError */
  protected present(record: ConnectRecord): void {
    this.#record = record;
    const touched = this.#touched;
    if (touched.has("key")) this.#writer.write(record.key, this.key, this.#keyBytes);
    if (touched.has("value")) this.#writer.write(record.value, this.value, this.#valueBytes);
    for (let index = 0; index < record.headers.length; index += 1) this.#present(index);
  }

  /** Most headers say what that of the record before said. */
  #present(index: number): void {
    const { schema, value } = this.#record.headers[index] as Header;
    this.#headers[index] ??= { piece: newPiece(), schema: null, value: null };
    const last = this.#headers[index] as Presented;
    if (last.schema === schema && last.value === value) return;
    this.#writer.write({ schema, value }, last.piece);
    last.schema = schema;
    last.value = value;
  }

  prepare?(fetched: Fetched, signal: AbortSignal): Promise<boolean>;

  get topic(): string {
    return this.#record.topic;
  }

  get partition(): number {
    return this.#record.partition ?? -1;
  }

  get timestampMs(): number {
    const { timestamp } = this.#record;
    return timestamp === null ? -1 : Number(timestamp);
  }

  get headerCount(): number {
    return this.#record.headers.length;
  }

  headerBytes(): number {
    let size = 0;
    for (let index = 0; index < this.headerCount; index += 1) {
      const { start, end } = this.header(index);
      size += end - start + 32;
    }
    return size;
  }

  headerName(index: number): string {
    return this.#record.headers[index]?.name ?? "";
  }

  header(index: number): SinkPiece {
    return (this.#headers[index] as Presented).piece;
  }
}
