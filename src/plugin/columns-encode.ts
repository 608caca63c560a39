/**
 * Writes a `Put` or a `StageBatch` to the wire from `Columns`. The columns go through one scratch buffer that is used
 * again, so that the message is made in one piece of exactly its size; the arena is copied once.
 */
import type { Columns } from "../record/columns.ts";

let scratch = Buffer.allocUnsafeSlow(64 * 1_024);
let used = 0;
/** Where the columns lie in the scratch buffer; index = field number. */
const starts = new Uint32Array(21);
const ends = new Uint32Array(21);

/** The bytes of HostSinkMessage{put}. The columns are not needed afterwards. */
export function encodePut(putSeq: number, epoch: number, columns: Columns): Buffer {
  return encodeBatch(8, putSeq, epoch, columns);
}

/** The bytes of HostStageMessage{batch}, without what is a source's own (14 to 16). */
export function encodeStageBatch(seq: number, operation: number, columns: Columns): Buffer {
  return encodeBatch(5, seq, operation, columns);
}

/** A message of two numbers and columns, in a field of an envelope. */
function encodeBatch(field: number, first: number, second: number, columns: Columns): Buffer {
  const columnsBytes = packSink(columns);
  const batchBytes =
    varintField(1, first) + varintField(2, second) + lengthOf(columnsBytes) + 1 + columnsBytes;
  const message = Buffer.allocUnsafe(1 + lengthOf(batchBytes) + batchBytes);
  let at = writeVarint(message, writeVarint(message, 0, (field << 3) | 2), batchBytes);
  at = writeVarintField(message, at, 1, first);
  at = writeVarintField(message, at, 2, second);
  at = writeVarint(message, writeVarint(message, at, (3 << 3) | 2), columnsBytes);
  writeColumns(message, at, columns);
  return message;
}

/** Packs every column into the scratch buffer; answers the size of the Columns message. */
function packSink(columns: Columns): number {
  used = 0;
  packUints(3, columns.keySizes);
  packUints(4, columns.valueSizes);
  packUints(5, columns.keyForms);
  packUints(6, columns.valueForms);
  packUints(7, columns.topics);
  packUints(8, columns.partitions);
  packDeltas(9, columns.timestamps);
  packUints(10, columns.headerCounts);
  packUints(11, columns.headerNames);
  packUints(12, columns.headerSizes);
  packUints(13, columns.headerForms);
  packDeltas(17, columns.offsets);
  packUints(18, columns.timestampTypes);
  packUints(19, columns.originalTopics);
  packUints(20, columns.originalPartitions);
  let size = varintField(1, columns.count) + bytesField(2, columns.arena.length);
  for (const field of sinkFields) {
    size += bytesField(field, (ends[field] as number) - (starts[field] as number));
  }
  return size;
}

const sinkFields = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 17, 18, 19, 20];

function writeColumns(message: Buffer, from: number, columns: Columns): void {
  let at = writeVarintField(message, from, 1, columns.count);
  const { arena } = columns;
  if (arena.length > 0) {
    at = writeVarint(message, writeVarint(message, at, (2 << 3) | 2), arena.length);
    message.set(arena, at);
    at += arena.length;
  }
  for (const field of sinkFields) {
    const start = starts[field] as number;
    const end = ends[field] as number;
    if (start === end) continue;
    at = writeVarint(message, writeVarint(message, at, (field << 3) | 2), end - start);
    scratch.copy(message, at, start, end);
    at += end - start;
  }
}

function packUints(field: number, values: Uint32Array): void {
  starts[field] = used;
  reserve(values.length * 5);
  const out = scratch;
  let at = used;
  for (let i = 0; i < values.length; i += 1) {
    let value = values[i] as number;
    while (value > 127) {
      out[at++] = (value & 127) | 128;
      value >>>= 7;
    }
    out[at++] = value;
  }
  used = at;
  ends[field] = at;
}

function packDeltas(field: number, values: Float64Array): void {
  starts[field] = used;
  reserve(values.length * 10);
  const out = scratch;
  let at = used;
  let before = 0;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] as number;
    const delta = value - before;
    if (delta < 2 ** 30 && delta > -(2 ** 30)) {
      let zigzag = (delta << 1) ^ (delta >> 31);
      while (zigzag > 127) {
        out[at++] = (zigzag & 127) | 128;
        zigzag >>>= 7;
      }
      out[at++] = zigzag;
    } else if (Math.abs(delta) < 2 ** 52) {
      at = writeVarint(out, at, delta < 0 ? -delta * 2 - 1 : delta * 2);
    } else at = writeBig(out, at, BigInt(value) - BigInt(before));
    before = value;
  }
  used = at;
  ends[field] = at;
}

/** Differences count modulo 2^64. */
function writeBig(out: Buffer, from: number, difference: bigint): number {
  const delta = BigInt.asIntN(64, difference);
  let zigzag = BigInt.asUintN(64, (delta << 1n) ^ (delta >> 63n));
  let at = from;
  while (zigzag > 127n) {
    out[at++] = Number(zigzag & 127n) | 128;
    zigzag >>= 7n;
  }
  out[at++] = Number(zigzag);
  return at;
}

function reserve(bytes: number): void {
  if (used + bytes <= scratch.length) return;
  let size = scratch.length;
  while (size < used + bytes) size *= 2;
  const larger = Buffer.allocUnsafeSlow(size);
  scratch.copy(larger, 0, 0, used);
  scratch = larger;
}

function lengthOf(value: number): number {
  let length = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) length += 1;
  return length;
}

/** Sizes of fields with their tag; a value of 0 and no bytes are left out, as proto3 does. */
function varintField(field: number, value: number): number {
  return value === 0 ? 0 : lengthOf(field << 3) + lengthOf(value);
}

function bytesField(field: number, length: number): number {
  return length === 0 ? 0 : lengthOf(field << 3) + lengthOf(length) + length;
}

function writeVarintField(out: Buffer, at: number, field: number, value: number): number {
  return value === 0 ? at : writeVarint(out, writeVarint(out, at, field << 3), value);
}

function writeVarint(out: Buffer, from: number, value: number): number {
  let at = from;
  let rest = value;
  while (rest > 127) {
    out[at++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  out[at++] = rest;
  return at;
}
