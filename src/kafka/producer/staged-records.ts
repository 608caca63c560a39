/**
 * Records that were sent before it was known which partitions their topic has. They are encoded at
 * once like all others, and read back when the answer is there: that happens once a topic.
 */
import { RecordCursor } from "../../batch/decode.ts";
import { PendingBatch } from "../../batch/pending-batch.ts";
import type { Receipt } from "../../batch/receipt.ts";
import { newRecordSlice, type RecordSlice } from "../../record/record-slice.ts";

/** Large enough for one plugin message, small enough to be let go one by one. */
const chunkBytesMax = 256 * 1024;

interface Chunk {
  readonly pending: PendingBatch;
  readonly stamp: number;
  /** As each record asked for; -1 = any. */
  readonly partitions: number[];
  heldBytes: number;
}

/** `timestampMs` is in the record; `stamp` is that of the chunk. */
export type StagedVisitor = (
  record: RecordSlice,
  receipt: Receipt,
  index: number,
  stamp: number,
) => void;

export class StagedRecords {
  readonly #chunks: Chunk[] = [];
  readonly #broken: (error: unknown) => Error;

  /** `broken`: a receipt threw, or a record could not be moved; gives what the records are told. */
  constructor(broken: (error: unknown) => Error) {
    this.#broken = broken;
  }

  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  /** Copies the record; returns the bytes that are held beyond those of before. */
  add(
    record: RecordSlice,
    timestampMs: number,
    receipt: Receipt,
    index: number,
    enter: () => number,
  ): number {
    let chunk = this.#chunks.at(-1);
    if (chunk === undefined || chunk.pending.builder.sizeBytes >= chunkBytesMax) {
      chunk = { pending: new PendingBatch(), stamp: enter(), partitions: [], heldBytes: 0 };
      this.#chunks.push(chunk);
    }
    chunk.pending.add(record, timestampMs, receipt, index);
    chunk.partitions.push(record.partition);
    const taken = chunk.pending.builder.capacityBytes - chunk.heldBytes;
    chunk.heldBytes += taken;
    return taken;
  }

  /** Takes everything out, in order; `left` is told of each chunk when its records were visited. */
  moveTo(topic: string, visit: StagedVisitor, left: (bytes: number, stamp: number) => void): void {
    const cursor = new RecordCursor();
    const record = newRecordSlice();
    record.topic = topic;
    for (let chunk = this.#chunks.shift(); chunk !== undefined; chunk = this.#chunks.shift()) {
      const { pending, partitions, stamp, heldBytes } = chunk;
      let place = 0;
      try {
        cursor.reset({ batches: pending.builder.finish(0), firstOffset: 0 });
        for (; cursor.next(); place += 1) {
          fill(record, cursor);
          record.partition = partitions[place] ?? -1;
          const { receipt, index } = pending.receiptAt(place);
          visit(record, receipt, index, stamp);
        }
        // I7: from here on the batches that took the records tell their outcome.
        pending.letGo();
      } catch (error) {
        this.#failFrom(pending, place, this.#broken(error));
      }
      left(heldBytes, stamp);
    }
  }

  /** Gives everything this outcome. */
  fail(error: Error, left: (bytes: number, stamp: number) => void): void {
    for (const { pending, heldBytes, stamp } of this.#chunks.splice(0)) {
      try {
        pending.tellFailed(error);
      } catch (thrown) {
        this.#broken(thrown);
      }
      left(heldBytes, stamp);
    }
  }

  /** Those before the place were moved. */
  #failFrom(pending: PendingBatch, start: number, error: Error): void {
    for (let place = start; place < pending.builder.recordCount; place += 1) {
      const { receipt, index } = pending.receiptAt(place);
      try {
        receipt.failed([index], 0, 1, error);
      } catch (thrown) {
        this.#broken(thrown);
      }
    }
    pending.letGo();
  }
}

function fill(record: RecordSlice, cursor: RecordCursor): void {
  record.timestampMs = cursor.timestampMs;
  record.key.bytes = cursor.bytes;
  record.key.start = cursor.keyStart;
  record.key.end = cursor.keyEnd;
  record.value.bytes = cursor.bytes;
  record.value.start = cursor.valueStart;
  record.value.end = cursor.valueEnd;
  record.headers = cursor.headers;
  record.headerCount = cursor.headerCount;
}
