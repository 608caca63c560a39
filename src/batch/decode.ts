/** Records out of Kafka record batches v2, one at a time, without an object for any of them. */
import { TaskError } from "../base/error.ts";
import { type HeaderSlice, noBytes } from "../record/record-slice.ts";
import { at, attribute, BatchHeader } from "./batch-header.ts";

/** The part of a fetched partition that the cursor needs. */
export interface BatchRun {
  /** Whole batches, back to back. */
  batches: Uint8Array;
  /** Records before it are skipped. */
  firstOffset: number;
}

/**
 * Walks the records of a run. After `next()` said true the fields describe one record; they change
 * with the next call, and so do the header slices. Control batches are skipped. A header's name is
 * the same array as long as the header at its place keeps its name, so it may be cached by identity.
 */
export class RecordCursor {
  bytes: Uint8Array = noBytes;
  offset = -1;
  timestampMs = -1;
  /** 1 CreateTime, 2 LogAppendTime. */
  timestampType = 1;
  /** Into `bytes`; -1 = null. */
  keyStart = -1;
  keyEnd = -1;
  valueStart = -1;
  valueEnd = -1;
  /** Only the first `headerCount` are meant. */
  readonly headers: HeaderSlice[] = [];
  headerCount = 0;
  /** The record as it stands in its batch, its length included. */
  recordStart = 0;
  recordEnd = 0;
  /** The batch of the record. */
  readonly batch = new BatchHeader();

  #firstOffset = 0;
  #at = 0;
  #left = 0;
  #batchEnd = 0;

  reset(run: BatchRun): void {
    this.bytes = run.batches;
    this.#firstOffset = run.firstOffset;
    this.#at = 0;
    this.#left = 0;
    this.#batchEnd = 0;
  }

  /** Moves to the next record; false at the end. @throws TaskError `batch.corrupt`, `batch.compressed`. */
  next(): boolean {
    for (;;) {
      while (this.#left === 0) if (!this.#nextBatch()) return false;
      this.#left -= 1;
      this.recordStart = this.#at;
      const size = this.#varint();
      const end = this.#at + size;
      if (size < 6 || end > this.#batchEnd) throw this.#corrupt();
      this.recordEnd = end;
      this.#at += 1;
      const timestampDelta = this.#varlong();
      this.offset = this.batch.baseOffset + this.#varint();
      if (this.offset < this.#firstOffset) {
        this.#at = end;
        continue;
      }
      this.timestampMs =
        this.timestampType === 1
          ? this.batch.baseTimestamp + timestampDelta
          : this.batch.maxTimestamp;
      const keySize = this.#varint();
      this.keyStart = keySize < 0 ? -1 : this.#at;
      if (keySize > 0) this.#at += keySize;
      this.keyEnd = keySize < 0 ? -1 : this.#at;
      const valueSize = this.#varint();
      this.valueStart = valueSize < 0 ? -1 : this.#at;
      if (valueSize > 0) this.#at += valueSize;
      this.valueEnd = valueSize < 0 ? -1 : this.#at;
      if (this.#at >= end) throw this.#corrupt();
      this.headerCount = this.#varint();
      if (this.headerCount < 0) throw this.#corrupt();
      if (this.headerCount > 0) this.#readHeaders(end);
      if (this.#at !== end) throw this.#corrupt();
      return true;
    }
  }

  #nextBatch(): boolean {
    const { batch, bytes } = this;
    this.#at = this.#batchEnd;
    if (this.#at >= bytes.length) return false;
    if (!batch.read(bytes, this.#at, bytes.length)) throw this.#corrupt();
    this.#batchEnd = batch.end;
    if (batch.isControl || batch.lastOffset < this.#firstOffset) return true;
    batch.assertUncompressed();
    this.timestampType = batch.attributes & attribute.logAppendTime ? 2 : 1;
    this.#at = batch.start + at.records;
    this.#left = batch.recordCount;
    return true;
  }

  #readHeaders(end: number): void {
    const { bytes } = this;
    for (let n = 0; n < this.headerCount; n++) {
      if (this.#at >= end) throw this.#corrupt();
      let header = this.headers[n];
      if (header === undefined) {
        header = { name: noBytes, bytes: noBytes, start: -1, end: -1 };
        this.headers.push(header);
      }
      const nameSize = this.#varint();
      if (nameSize < 0 || this.#at + nameSize > end) throw this.#corrupt();
      if (!sameBytes(header.name, bytes, this.#at, nameSize)) {
        // A copy, since a Buffer's `slice` would keep the whole run alive.
        header.name = new Uint8Array(bytes.subarray(this.#at, this.#at + nameSize));
      }
      this.#at += nameSize;
      const size = this.#varint();
      header.bytes = bytes;
      header.start = size < 0 ? -1 : this.#at;
      if (size > 0) this.#at += size;
      header.end = size < 0 ? -1 : this.#at;
    }
  }

  #varint(): number {
    const { bytes } = this;
    let byte = bytes[this.#at++]!;
    let z = byte & 0x7f;
    for (let shift = 7; byte >= 0x80 && shift < 35; shift += 7) {
      byte = bytes[this.#at++]!;
      z |= (byte & 0x7f) << shift;
    }
    return (z >>> 1) ^ -(z & 1);
  }

  #varlong(): number {
    const { bytes } = this;
    let byte = bytes[this.#at++]!;
    const isNegative = (byte & 1) === 1;
    let value = (byte & 0x7f) >> 1;
    for (let weight = 64; byte >= 0x80 && weight < 2 ** 63; weight *= 128) {
      byte = bytes[this.#at++]!;
      value += (byte & 0x7f) * weight;
    }
    return isNegative ? -value - 1 : value;
  }

  #corrupt(): TaskError {
    return new TaskError(
      "batch.corrupt",
      `cannot read a record batch at byte ${this.#at}, after offset ${this.offset}: it is damaged`,
    );
  }
}

function sameBytes(known: Uint8Array, bytes: Uint8Array, start: number, size: number): boolean {
  if (known.length !== size) return false;
  for (let n = 0; n < size; n++) if (known[n] !== bytes[start + n]) return false;
  return true;
}
