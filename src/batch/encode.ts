/** Records into a Kafka record batch v2, written straight into one buffer that is used again. */
import type { ByteSlice, RecordSlice } from "../record/record-slice.ts";
import { at, attribute, lengthOverhead } from "./batch-header.ts";
import { type Compression, codecId, compress } from "./compression.ts";
import { Copier } from "./copier.ts";
import { crc32c } from "./crc32c.ts";
import { RecordCursor } from "./decode.ts";
import {
  afterVarint,
  varintSize,
  varlongSize,
  writeInt16,
  writeInt32,
  writeInt64,
  writeVarint,
  writeVarlong,
} from "./varint.ts";

/** What the header says beside what follows from the records. */
export interface BatchOptions {
  /** Without those of compression and of `logAppendTimeMs`, which are set where they belong. */
  attributes?: number;
  /** Of an idempotent or transactional producer; left out: none. */
  producer?: { id: number; epoch: number; baseSequence: number };
  /** Gives all records this time in place of their own. */
  logAppendTimeMs?: number;
}

/**
 * One batch that grows, is finished (any number of times: the same options give the same bytes), and is
 * emptied to be used again.
 */
export class BatchBuilder {
  #bytes: Uint8Array;
  /** Room for the header and the compressed records, once `compress` was called. */
  #compressed: { bytes: Uint8Array; codecId: number } | undefined;
  readonly #copier = new Copier();
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

  /** Of the whole batch before compression, header included. */
  get sizeBytes(): number {
    return this.#size;
  }

  /** Of what `finish` gives: less than `sizeBytes` once it is compressed. */
  get finishedBytes(): number {
    return this.#compressed?.bytes.length ?? this.#size;
  }

  /** What the buffer takes, also while the batch is small. */
  get capacityBytes(): number {
    return this.#bytes.length;
  }

  /** Copies the record. What `compress` made of the earlier ones is given up. */
  append(record: RecordSlice, timestampMs: number): void {
    this.#compressed = undefined;
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
    const copier = this.#copier;
    let place = writeVarint(bytes, this.#size, bodySize);
    bytes[place++] = 0;
    place = writeVarlong(bytes, place, timestampDelta);
    place = writeVarint(bytes, place, offsetDelta);
    place = writeVarint(bytes, place, keySize);
    if (keySize > 0) place = copySlice(record.key, bytes, place, copier);
    place = writeVarint(bytes, place, valueSize);
    if (valueSize > 0) place = copySlice(record.value, bytes, place, copier);
    this.#size = writeHeaders(record, bytes, place, copier);
    this.#recordCount += 1;
  }

  /**
   * Compresses the records, large batches in another thread: wait for what is returned, and change nothing
   * until then. From then on `finish` gives the compressed batch, as often as it is called.
   * @throws TaskError `batch.codec_missing`
   */
  compress(compression: Compression): void | Promise<void> {
    const records = compress(this.#bytes.subarray(at.records, this.#size), compression);
    if (records instanceof Uint8Array) return this.#setCompressed(records, compression);
    return records.then((done) => this.#setCompressed(done, compression));
  }

  /**
   * Fills in the batch header. The bytes are a view of the builder's buffer: valid until `reset`, the next
   * `append` or another `finish`. May be called again with another base offset or producer.
   */
  finish(baseOffset: number, options: BatchOptions = {}): Uint8Array {
    const bytes = this.#compressed?.bytes ?? this.#bytes;
    const end = this.finishedBytes;
    const { producer, logAppendTimeMs } = options;
    let attributes = (options.attributes ?? 0) | (this.#compressed?.codecId ?? 0);
    if (logAppendTimeMs !== undefined) attributes |= attribute.logAppendTime;
    writeInt64(bytes, at.baseOffset, baseOffset);
    writeInt32(bytes, at.length, end - lengthOverhead);
    writeInt32(bytes, at.leaderEpoch, 0);
    bytes[at.magic] = 2;
    writeInt16(bytes, at.attributes, attributes);
    writeInt32(bytes, at.lastOffsetDelta, this.#recordCount - 1);
    writeInt64(bytes, at.baseTimestamp, this.#baseTimestampMs);
    writeInt64(bytes, at.maxTimestamp, logAppendTimeMs ?? this.#maxTimestampMs);
    writeInt64(bytes, at.producerId, producer?.id ?? -1);
    writeInt16(bytes, at.producerEpoch, producer?.epoch ?? -1);
    writeInt32(bytes, at.baseSequence, producer?.baseSequence ?? -1);
    writeInt32(bytes, at.recordCount, this.#recordCount);
    writeInt32(bytes, at.crc, crc32c(bytes, at.attributes, end));
    return bytes.subarray(0, end);
  }

  /**
   * For a batch that is too large for a broker: moves the records of its second half (by bytes; one at
   * least stays and one at least goes) into `other`, which is empty, and returns how many stay. Keys,
   * values and headers are copied as they stand. Both are uncompressed then. Needs two records.
   */
  splitInto(other: BatchBuilder): number {
    this.#compressed = undefined;
    const cursor = new RecordCursor();
    cursor.reset({ batches: this.finish(0), firstOffset: 0 });
    const half = (at.records + this.#size) / 2;
    const indexMax = this.#recordCount - 1;
    other.#baseTimestampMs = this.#baseTimestampMs;
    let stayEnd: number = at.records;
    let stayCount = 0;
    this.#maxTimestampMs = -1;
    while (cursor.next()) {
      const stays =
        other.#recordCount === 0 &&
        stayCount < indexMax &&
        (stayCount === 0 || cursor.recordEnd <= half);
      if (!stays) {
        other.#appendFrom(cursor);
        continue;
      }
      stayCount += 1;
      stayEnd = cursor.recordEnd;
      this.#maxTimestampMs = Math.max(this.#maxTimestampMs, cursor.timestampMs);
    }
    this.#size = stayEnd;
    this.#recordCount = stayCount;
    return stayCount;
  }

  /** Empties the batch and keeps the buffer. */
  reset(): void {
    this.#compressed = undefined;
    this.#copier.reset();
    this.#size = at.records;
    this.#recordCount = 0;
    this.#baseTimestampMs = 0;
    this.#maxTimestampMs = -1;
  }

  #setCompressed(records: Uint8Array, compression: Compression): void {
    const bytes = rawBytes(at.records + records.length);
    bytes.set(records, at.records);
    this.#compressed = { bytes, codecId: codecId(compression) };
  }

  /** The record under the cursor, whose batch has the same base timestamp; only its offset delta changes. */
  #appendFrom({ bytes, recordStart, recordEnd, timestampMs }: RecordCursor): void {
    const attributesAt = afterVarint(bytes, recordStart);
    const offsetAt = afterVarint(bytes, attributesAt + 1);
    const restAt = afterVarint(bytes, offsetAt);
    const offsetDelta = this.#recordCount;
    const bodySize = offsetAt - attributesAt + varintSize(offsetDelta) + recordEnd - restAt;
    this.#reserve(bodySize + varintSize(bodySize));
    const to = this.#bytes;
    let place = writeVarint(to, this.#size, bodySize);
    place = this.#copier.copy(bytes, attributesAt, offsetAt, to, place);
    place = writeVarint(to, place, offsetDelta);
    this.#size = this.#copier.copy(bytes, restAt, recordEnd, to, place);
    this.#recordCount += 1;
    if (timestampMs > this.#maxTimestampMs) this.#maxTimestampMs = timestampMs;
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
export function copySlice(
  { prefix, bytes, start, end, suffix }: ByteSlice,
  to: Uint8Array,
  place: number,
  copier: Copier,
): number {
  let next = place;
  if (prefix.length > 0) next = copier.copy(prefix, 0, prefix.length, to, next);
  next = copier.copy(bytes, start, end, to, next);
  if (suffix.length > 0) next = copier.copy(suffix, 0, suffix.length, to, next);
  return next;
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

function writeHeaders(
  record: RecordSlice,
  bytes: Uint8Array,
  place: number,
  copier: Copier,
): number {
  let next = writeVarint(bytes, place, record.headerCount);
  for (let n = 0; n < record.headerCount; n++) {
    const header = record.headers[n]!;
    next = writeVarint(bytes, next, header.name.length);
    next = copier.copy(header.name, 0, header.name.length, bytes, next);
    next = writeVarint(bytes, next, header.start < 0 ? -1 : header.end - header.start);
    if (header.start >= 0) next = copier.copy(header.bytes, header.start, header.end, bytes, next);
  }
  return next;
}
