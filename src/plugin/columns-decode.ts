/**
 * Reads `Records` from the wire straight into `Columns`: no object and no copy per record, the arena
 * stays where it was received. Lengths are checked here, meaning (sums and ids) in columns-check.ts.
 * A message that spells a column in several pieces is legal protobuf, though no encoder writes it; it
 * goes to the generated decoder.
 */
import { type Columns, emptyColumns } from "../record/columns.ts";
import { limits } from "./limits.ts";
import { protocolError } from "./protocol-error.ts";

/** A batch as a source plugin sent it. */
export interface WireRecords {
  batchSeq: number;
  columns: Columns;
  pollEnd: boolean;
  transaction: "none" | "commit" | "abort";
}

/** "irregular": the generated decoder has to read it. */
export type Decoded = WireRecords | "irregular";

/** Which columns belong to the sender; others are skipped. A stage's have neither side's own. */
export type Side = "source" | "sink" | "stage";

/** Field `records` of SourceTaskMessage, as a length-delimited tag. */
const recordsTag = (8 << 3) | 2;

/** Is this SourceTaskMessage a batch? Nothing else is looked at. */
export function isRecords(message: Uint8Array): boolean {
  return message[0] === recordsTag;
}

/** @throws TaskError `plugin.protocol_error` naming the column. */
export function decodeRecords(message: Uint8Array): Decoded {
  const reader = new WireReader(message, 0, message.length);
  reader.tag();
  const records = reader.nested();
  // A second field after the batch would change or replace it.
  if (!reader.done) return "irregular";
  const result: WireRecords = {
    batchSeq: 0,
    columns: emptyColumns(),
    pollEnd: false,
    transaction: "none",
  };
  let columnsSeen = false;
  while (!records.done) {
    const tag = records.tag();
    if (tag === ((1 << 3) | 0)) result.batchSeq = records.varint();
    else if (tag === ((2 << 3) | 2)) {
      if (columnsSeen) return "irregular";
      columnsSeen = true;
      const columns = decodeColumns(records.nested(), "source");
      if (columns === "irregular") return columns;
      result.columns = columns;
    } else if (tag === ((3 << 3) | 0)) result.pollEnd = records.varint() !== 0;
    else if (tag === ((4 << 3) | 0)) result.transaction = transactionOf(records.varint());
    else records.skip(tag);
  }
  return result;
}

/** The mark's number as a word. */
export function transactionOf(mark: number): WireRecords["transaction"] {
  if (mark === 0) return "none";
  if (mark === 1) return "commit";
  if (mark === 2) return "abort";
  throw protocolError(`a batch has the unknown transaction mark ${mark}`);
}

/** Where each field lies; index = field number. */
class Spans {
  count = 0;
  readonly start = new Uint32Array(21);
  readonly end = new Uint32Array(21);

  /** False when the message is irregular. */
  find(reader: WireReader): boolean {
    let seen = 0;
    while (!reader.done) {
      const tag = reader.tag();
      const field = tag >>> 3;
      if (field < 1 || field > 20) {
        reader.skip(tag);
        continue;
      }
      if (field === 1) {
        if ((tag & 7) !== 0) throw protocolError("column count is not a number");
        this.count = reader.varint();
        continue;
      }
      if ((tag & 7) !== 2 || (seen & (1 << field)) !== 0) return false;
      seen |= 1 << field;
      const nested = reader.nested();
      this.start[field] = nested.at;
      this.end[field] = nested.end;
    }
    return true;
  }
}

/** Reads one Columns message. Exported for sinks' tests; plugins send only source columns. */
export function decodeColumns(reader: WireReader, side: Side): Columns | "irregular" {
  const spans = new Spans();
  if (!spans.find(reader)) return "irregular";
  const n = spans.count;
  if (n > limits.batchRecordsMax) {
    throw protocolError(`a batch has ${n} records; at most ${limits.batchRecordsMax} are allowed`);
  }
  const { bytes } = reader;
  const uints = (field: number, name: string, max: number) =>
    readUints(bytes, spans.start[field] as number, spans.end[field] as number, name, max);
  const deltas = (field: number, name: string, max: number) =>
    readDeltas(bytes, spans.start[field] as number, spans.end[field] as number, name, max);
  const columns = emptyColumns();
  columns.count = n;
  columns.arena = bytes.subarray(spans.start[2], spans.end[2]);
  columns.keySizes = uints(3, "key_sizes", n);
  columns.valueSizes = uints(4, "value_sizes", n);
  columns.keyForms = uints(5, "key_forms", n);
  columns.valueForms = uints(6, "value_forms", n);
  columns.topics = uints(7, "topics", n);
  columns.partitions = uints(8, "partitions", n);
  columns.timestamps = deltas(9, "timestamps", n);
  columns.headerCounts = uints(10, "header_counts", n);
  const h = sumOfHeaders(columns.headerCounts);
  columns.headerNames = uints(11, "header_names", h);
  columns.headerSizes = uints(12, "header_sizes", h);
  columns.headerForms = uints(13, "header_forms", h);
  if (side === "source") {
    columns.sourcePartitions = uints(14, "source_partitions", limits.idMax);
    columns.offsetSizes = uints(15, "offset_sizes", Math.max(n, columns.sourcePartitions.length));
    columns.offsetArena = bytes.subarray(spans.start[16], spans.end[16]);
  } else if (side === "sink") {
    columns.offsets = deltas(17, "offsets", n);
    columns.timestampTypes = uints(18, "timestamp_types", n);
    columns.originalTopics = uints(19, "original_topics", n);
    columns.originalPartitions = uints(20, "original_partitions", n);
  }
  return columns;
}

/** @throws TaskError `plugin.protocol_error` when a record has too many. */
export function sumOfHeaders(counts: Uint32Array): number {
  let sum = 0;
  for (let i = 0; i < counts.length; i += 1) {
    const count = counts[i] as number;
    if (count > limits.recordHeadersMax) {
      throw protocolError(
        `record ${i} has ${count} headers; at most ${limits.recordHeadersMax} are allowed`,
      );
    }
    sum += count;
  }
  return sum;
}

const noUints = new Uint32Array(0);
const noFloats = new Float64Array(0);

/** Unpacks at most `max` numbers; more is an error, so nothing is made bigger than the batch. */
function readUints(
  bytes: Uint8Array,
  start: number,
  end: number,
  name: string,
  max: number,
): Uint32Array {
  if (start === end) return noUints;
  // Each number takes a byte or more, so a short span cannot fill a long column.
  const out = new Uint32Array(Math.min(end - start, max));
  let length = 0;
  for (let at = start; at < end; ) {
    let value = bytes[at++] as number;
    if (value > 127) {
      value &= 127;
      for (let shift = 7; ; shift += 7) {
        if (at >= end || shift > 28) throw protocolError(`column ${name} has a broken number`);
        const byte = bytes[at++] as number;
        value |= (byte & 127) << shift;
        if (byte < 128) break;
      }
    }
    if (length === max) throw tooLong(name, max);
    out[length++] = value;
  }
  return length === out.length ? out : out.subarray(0, length);
}

function tooLong(name: string, max: number): Error {
  return protocolError(`column ${name} has more than ${max} entries`);
}

/** Sums up signed differences. What does not fit a double exactly is done again with big integers. */
function readDeltas(
  bytes: Uint8Array,
  start: number,
  end: number,
  name: string,
  max: number,
): Float64Array {
  if (start === end) return noFloats;
  const out = new Float64Array(Math.min(end - start, max));
  let length = 0;
  let sum = 0;
  for (let at = start; at < end; ) {
    let byte = bytes[at++] as number;
    let zigzag = byte & 127;
    if (byte > 127) {
      for (let scale = 128; ; scale *= 128) {
        if (at >= end) throw protocolError(`column ${name} has a broken number`);
        byte = bytes[at++] as number;
        zigzag += (byte & 127) * scale;
        if (byte < 128) break;
        if (scale >= 2 ** 42) return readBigDeltas(bytes, start, end, name, max);
      }
    }
    sum += zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
    if (!Number.isSafeInteger(sum)) return readBigDeltas(bytes, start, end, name, max);
    if (length === max) throw tooLong(name, max);
    out[length++] = sum;
  }
  return length === out.length ? out : out.subarray(0, length);
}

/** The exact way, modulo 2^64; a sum beyond 2^53 is refused, one below -2^53 keeps its sign. */
function readBigDeltas(
  bytes: Uint8Array,
  start: number,
  end: number,
  name: string,
  max: number,
): Float64Array {
  const out: number[] = [];
  let sum = 0n;
  for (let at = start; at < end; ) {
    let zigzag = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (at >= end || shift > 63n) throw protocolError(`column ${name} has a broken number`);
      const byte = bytes[at++] as number;
      zigzag |= BigInt(byte & 127) << shift;
      if (byte < 128) break;
    }
    zigzag = BigInt.asUintN(64, zigzag);
    sum = BigInt.asIntN(64, sum + ((zigzag >> 1n) ^ -(zigzag & 1n)));
    if (sum > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw protocolError(`column ${name} has the value ${sum}, which is over 2^53 - 1`);
    }
    if (out.length === max) throw tooLong(name, max);
    out.push(Number(sum));
  }
  return Float64Array.from(out);
}

/** Walks protobuf fields in a byte range; every read is checked against the end. */
export class WireReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  at: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  /** A field's number and wire type; protobuf gives it 32 bits, and above 2^53 the type would be lost. */
  tag(): number {
    const tag = this.varint();
    if (tag > 0xffff_ffff) throw protocolError("a message has a field with a number over 2^29 - 1");
    return tag;
  }

  /** Unsigned; exact up to 2^53, which no field read by hand exceeds. */
  varint(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 63; scale *= 128) {
      if (this.at >= this.end) throw truncated();
      const byte = this.bytes[this.at++] as number;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw protocolError("a message has a number of more than ten bytes");
  }

  /** The content of a length-delimited field. */
  nested(): WireReader {
    const length = this.varint();
    if (length > this.end - this.at) throw truncated();
    const start = this.at;
    this.at += length;
    return new WireReader(this.bytes, start, this.at);
  }

  /** Passes over a field this version does not know. */
  skip(tag: number): void {
    const type = tag & 7;
    if (type === 0) this.varint();
    else if (type === 1) this.#advance(8);
    else if (type === 2) this.nested();
    else if (type === 5) this.#advance(4);
    else throw protocolError(`a message has a field of the unknown wire type ${type}`);
  }

  #advance(bytes: number): void {
    if (this.end - this.at < bytes) throw truncated();
    this.at += bytes;
  }
}

function truncated(): Error {
  return protocolError("a message ends in the middle of a field");
}
