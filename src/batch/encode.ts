/** Records into a Kafka record batch v2, written straight into one buffer that is used again. */
import type { ByteSlice, RecordSlice } from "../record/record-slice.ts";
import { at, lengthOverhead } from "./batch-header.ts";
import { crc32c } from "./crc32c.ts";
import {
  varintSize,
  varlongSize,
  writeInt16,
  writeInt32,
  writeInt64,
  writeVarint,
  writeVarlong,
} from "./varint.ts";

/** Below this many bytes a loop copies faster than a view and `set`. */
const loopCopyBytesMax = 48;

export interface BatchOptions {
  attributes?: number;
  /** Of an idempotent or transactional producer; left out: none. */
  producer?: { id: number; epoch: number; baseSequence: number };
}

export class BatchBuilder {
  #bytes: Uint8Array;
  #size: number = at.records;
  #recordCount = 0;
  #baseTimestampMs = 0;
  #maxTimestampMs = -1;

  constructor(options: { initialBytes?: number } = {}) {
    this.#bytes = rawBytes(options.initialBytes ?? 16_384);
  }

  get recordCount(): number {
    return this.#recordCount;
  }

  /** Of the whole batch, header included. */
  get sizeBytes(): number {
    return this.#size;
  }

  /** What the buffer takes, also while the batch is small. */
  get capacityBytes(): number {
    return this.#bytes.length;
  }

  append(record: RecordSlice, timestampMs: number): void {
    this.#reserve(sizeUpperBound(record));
    if (this.#recordCount === 0) this.#baseTimestampMs = timestampMs;
    if (timestampMs > this.#maxTimestampMs) this.#maxTimestampMs = timestampMs;
    const timestampDelta = timestampMs - this.#baseTimestampMs;
    const offsetDelta = this.#recordCount;
    const keySize = sliceSize(record.key);
    const valueSize = sliceSize(record.value);
    const bodySize =
      1 +
      varlongSize(timestampDelta) +
      varintSize(offsetDelta) +
      varintSize(keySize) +
      Math.max(keySize, 0) +
      varintSize(valueSize) +
      Math.max(valueSize, 0) +
      headersSize(record);

    const bytes = this.#bytes;
    let place = writeVarint(bytes, this.#size, bodySize);
    bytes[place++] = 0;
    place = writeVarlong(bytes, place, timestampDelta);
    place = writeVarint(bytes, place, offsetDelta);
    place = writeVarint(bytes, place, keySize);
    if (keySize > 0) place = copySlice(record.key, bytes, place);
    place = writeVarint(bytes, place, valueSize);
    if (valueSize > 0) place = copySlice(record.value, bytes, place);
    this.#size = writeHeaders(record, bytes, place);
    this.#recordCount += 1;
  }

  /**
   * Fills in the batch header. The bytes are a view of the builder's buffer: valid until `reset` or
   * the next `append`. May be called again with another base offset.
   */
  finish(baseOffset: number, options: BatchOptions = {}): Uint8Array {
    const bytes = this.#bytes;
    const { producer } = options;
    writeInt64(bytes, at.baseOffset, baseOffset);
    writeInt32(bytes, at.length, this.#size - lengthOverhead);
    writeInt32(bytes, at.leaderEpoch, 0);
    bytes[at.magic] = 2;
    writeInt16(bytes, at.attributes, options.attributes ?? 0);
    writeInt32(bytes, at.lastOffsetDelta, this.#recordCount - 1);
    writeInt64(bytes, at.baseTimestamp, this.#baseTimestampMs);
    writeInt64(bytes, at.maxTimestamp, this.#maxTimestampMs);
    writeInt64(bytes, at.producerId, producer?.id ?? -1);
    writeInt16(bytes, at.producerEpoch, producer?.epoch ?? -1);
    writeInt32(bytes, at.baseSequence, producer?.baseSequence ?? -1);
    writeInt32(bytes, at.recordCount, this.#recordCount);
    writeInt32(bytes, at.crc, crc32c(bytes, at.attributes, this.#size));
    return bytes.subarray(0, this.#size);
  }

  /** Empties the batch and keeps the buffer. */
  reset(): void {
    this.#size = at.records;
    this.#recordCount = 0;
    this.#baseTimestampMs = 0;
    this.#maxTimestampMs = -1;
  }

  #reserve(extraBytes: number): void {
    const needed = this.#size + extraBytes;
    if (needed <= this.#bytes.length) return;
    const grown = rawBytes(Math.max(needed, this.#bytes.length * 4));
    grown.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = grown;
  }
}

/** Not cleared; not a Buffer, whose `slice` would share what the builder overwrites. */
function rawBytes(size: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
}

/** At least what the record takes in a batch, at most 40 bytes (and 10 a header) more. */
export function sizeUpperBound(record: RecordSlice): number {
  let size = 36 + Math.max(0, sliceSize(record.key)) + Math.max(0, sliceSize(record.value));
  for (let n = 0; n < record.headerCount; n++) {
    const header = record.headers[n]!;
    size += 10 + header.name.length + Math.max(0, header.end - header.start);
  }
  return size;
}

/** Bytes of a key or value with what is written around it; -1 = null. */
export function sliceSize(slice: ByteSlice): number {
  return slice.start < 0 ? -1 : slice.end - slice.start + slice.prefix.length + slice.suffix.length;
}

/** Copies a slice with its prefix and suffix; returns the place after it. */
export function copySlice(slice: ByteSlice, to: Uint8Array, place: number): number {
  let next = place;
  if (slice.prefix.length > 0) next = copy(slice.prefix, 0, slice.prefix.length, to, next);
  next = copy(slice.bytes, slice.start, slice.end, to, next);
  if (slice.suffix.length > 0) next = copy(slice.suffix, 0, slice.suffix.length, to, next);
  return next;
}

function copy(from: Uint8Array, start: number, end: number, to: Uint8Array, place: number): number {
  const size = end - start;
  if (size > loopCopyBytesMax) {
    to.set(size === from.length ? from : from.subarray(start, end), place);
  } else {
    for (let n = 0; n < size; n++) to[place + n] = from[start + n]!;
  }
  return place + size;
}

function headersSize(record: RecordSlice): number {
  let size = varintSize(record.headerCount);
  for (let n = 0; n < record.headerCount; n++) {
    const { name, start, end } = record.headers[n]!;
    size += varintSize(name.length) + name.length;
    size += start < 0 ? 1 : varintSize(end - start) + end - start;
  }
  return size;
}

function writeHeaders(record: RecordSlice, bytes: Uint8Array, place: number): number {
  let next = writeVarint(bytes, place, record.headerCount);
  for (let n = 0; n < record.headerCount; n++) {
    const header = record.headers[n]!;
    next = writeVarint(bytes, next, header.name.length);
    next = copy(header.name, 0, header.name.length, bytes, next);
    next = writeVarint(bytes, next, header.start < 0 ? -1 : header.end - header.start);
    if (header.start >= 0) next = copy(header.bytes, header.start, header.end, bytes, next);
  }
  return next;
}
