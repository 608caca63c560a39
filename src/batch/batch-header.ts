/** The first 61 bytes of a record batch v2, and what is checked about them. */
import { TaskError } from "../base/error.ts";
import { crc32c } from "./crc32c.ts";
import { readInt16, readInt32, readInt64 } from "./varint.ts";

/** Where each field of the header starts. */
export const at = {
  baseOffset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
  records: 61,
} as const;

export const attribute = {
  compression: 7,
  logAppendTime: 8,
  transactional: 16,
  control: 32,
} as const;

/** Bytes before `length` starts to count. */
export const lengthOverhead = 12;

const compressionNames = ["none", "gzip", "snappy", "lz4", "zstd"];

/** One batch in a run of batches; filled again by each `next`. */
export class BatchHeader {
  baseOffset = 0;
  lastOffset = 0;
  attributes = 0;
  baseTimestamp = 0;
  maxTimestamp = 0;
  producerId = 0;
  producerEpoch = 0;
  baseSequence = 0;
  recordCount = 0;
  /** Where the batch begins and ends in the bytes it was read from. */
  start = 0;
  end = 0;

  /** Reads the header at `start`; false when the batch is not whole before `end`. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    const size = batchSize(bytes, start, end);
    if (size === 0 || start + size > end) return false;
    this.start = start;
    this.end = start + size;
    this.baseOffset = readInt64(bytes, start);
    this.lastOffset = this.baseOffset + readInt32(bytes, start + at.lastOffsetDelta);
    this.attributes = readInt16(bytes, start + at.attributes);
    this.baseTimestamp = readInt64(bytes, start + at.baseTimestamp);
    this.maxTimestamp = readInt64(bytes, start + at.maxTimestamp);
    this.producerId = readInt64(bytes, start + at.producerId);
    this.producerEpoch = readInt16(bytes, start + at.producerEpoch);
    this.baseSequence = readInt32(bytes, start + at.baseSequence);
    this.recordCount = readInt32(bytes, start + at.recordCount);
    return true;
  }

  /** Control batches (the marks of transactions) hold no records of users. */
  get isControl(): boolean {
    return (this.attributes & attribute.control) !== 0;
  }

  /** @throws TaskError `batch.compressed`. */
  assertUncompressed(): void {
    const codec = this.attributes & attribute.compression;
    if (codec === 0) return;
    throw new TaskError(
      "batch.compressed",
      `cannot read the batch at offset ${this.baseOffset}: it is compressed with ` +
        `${compressionNames[codec] ?? `codec ${codec}`}, and has to be opened first`,
    );
  }
}

/** The whole size of the batch at `start`; 0 when too few bytes are there or it cannot be a batch v2. */
export function batchSize(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < at.records) return 0;
  const size = readInt32(bytes, start + at.length) + lengthOverhead;
  return size < at.records || bytes[start + at.magic] !== 2 ? 0 : size;
}

/** Whether the checksum of the whole batch from `start` to `end` fits its content. */
export function checksumFits(bytes: Uint8Array, start: number, end: number): boolean {
  return readInt32(bytes, start + at.crc) >>> 0 === crc32c(bytes, start + at.attributes, end);
}
