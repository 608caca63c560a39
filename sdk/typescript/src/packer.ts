import { nullForm, type OutDefinitions } from "./definitions.ts";
import {
  makeOffsetColumns,
  type OffsetColumns,
  type OffsetEntry,
  type OffsetMode,
} from "./offset-columns.ts";
import { DataError } from "./plugin-error.ts";
import type { InForm } from "./put-batch.ts";
import type { Schema } from "./schema.ts";
import type { Header, SourceRecord } from "./source-record.ts";
import { Arena, VarintColumn, wideZigzag, zigzag, zigzagMax } from "./wire.ts";
import { encodeRecords, MessageParts, wideVarint } from "./wire-message.ts";

export interface PackerOptions {
  messageBytesMax: number;
  /** "none": source partitions and offsets are not sent. */
  offsetMode: OffsetMode | "none";
}

/** A value that goes on as it came, in the form it came in. */
export class SameValue {
  readonly bytes: Uint8Array | null;
  readonly form: InForm;

  constructor(bytes: Uint8Array | null, form: InForm) {
    this.bytes = bytes;
    this.form = form;
  }
}

/** A batch ready to be written, and what it costs. */
export interface PackedBatch {
  readonly message: Buffer;
  readonly count: number;
  readonly costRecords: number;
  readonly costBytes: number;
  /** The last offset text of each source partition in it. */
  readonly lastOffsets: readonly OffsetEntry<string>[];
}

/** A record that does not fit into a message by itself. */
export class RecordTooLargeError extends DataError {}

const recordsMax = 10_000;
const batchBytesTarget = 512 * 1024;
const headersMax = 1_000;
const batchFixedBytes = 4_096;
const rowBytes = 64;

type Piece = string | Uint8Array | null;

/**
 * Packs records into the columns of a batch, with builders that are used again for every batch.
 * Nothing is kept of a record once `add` has returned.
 */
export class Packer {
  readonly #definitions: OutDefinitions;
  readonly #messageBytesMax: number;
  readonly #offsets: OffsetColumns;
  readonly #batchBytesTarget: number;
  readonly #arena = new Arena();
  readonly #keySizes = new VarintColumn();
  readonly #valueSizes = new VarintColumn();
  readonly #keyForms = new VarintColumn();
  readonly #valueForms = new VarintColumn();
  readonly #topics = new VarintColumn();
  readonly #partitions = new VarintColumn();
  readonly #timestamps = new VarintColumn();
  readonly #headerCounts = new VarintColumn();
  readonly #headerNames = new VarintColumn();
  readonly #headerSizes = new VarintColumn();
  readonly #headerForms = new VarintColumn();
  #lastTimestamp = -1;
  #timestampsVary = false;
  readonly #columns = [
    this.#keySizes,
    this.#valueSizes,
    this.#keyForms,
    this.#valueForms,
    this.#topics,
    this.#partitions,
    this.#timestamps,
    this.#headerCounts,
    this.#headerNames,
    this.#headerSizes,
    this.#headerForms,
  ];
  #count = 0;
  #headers = 0;
  // One record's pieces; written and read again at once.
  #key: Piece = null;
  #value: Piece = null;
  readonly #headerPieces: Piece[] = [];
  readonly #headerFormIds: number[] = [];
  readonly #headerNameIds: number[] = [];
  /** The id of that piece's form. */
  #form = 0;
  /** What else goes into the message and counts against its limit. */
  otherBytes = 0;
  readonly #hasOffsets: boolean;

  constructor(definitions: OutDefinitions, options: PackerOptions) {
    this.#definitions = definitions;
    this.#messageBytesMax = options.messageBytesMax;
    this.#offsets = makeOffsetColumns(options.offsetMode);
    this.#hasOffsets = options.offsetMode !== "none";
    this.#batchBytesTarget = Math.min(batchBytesTarget, options.messageBytesMax);
  }

  get count(): number {
    return this.#count;
  }

  /** What the batch costs in bytes of credit: the contract's size formula. */
  get costBytes(): number {
    return (
      this.#arena.length +
      this.#offsets.bytes +
      rowBytes * (this.#count + this.#headers) +
      batchFixedBytes
    );
  }

  /** Time to send. */
  get full(): boolean {
    return this.#count >= recordsMax || this.costBytes >= this.#batchBytesTarget;
  }

  /**
   * Adds a record. False = it does not fit into this batch any more: send the batch, then add again.
   * @throws RecordTooLargeError, DataError; the batch is then as it was before.
   */
  add(record: SourceRecord): boolean {
    if (this.#count >= recordsMax) return false;
    const definitions = this.#definitions;
    if (definitions.full) {
      if (this.#count > 0) return false;
      definitions.forget();
    }
    // Everything that may throw comes before the first column is touched.
    this.#key = this.#piece(record.key, record.keySchema);
    const keyForm = this.#form;
    this.#value = this.#piece(record.value, record.valueSchema);
    const valueForm = this.#form;
    const topic = definitions.topic(record.topic);
    const sourcePartition = this.#hasOffsets ? definitions.partition(record.sourcePartition) : 0;
    const headers = record.headers;
    const headerCount = headers === undefined ? 0 : this.#prepareHeaders(headers);
    const timestamp = checkedTimestamp(record.timestamp);
    const partition = checkedPartition(record.partition);
    this.#offsets.prepare(sourcePartition, record.sourceOffset);
    const room = this.#room(headerCount);
    if (room !== "here") {
      const error = room === "nowhere" ? this.#tooLarge(headerCount) : undefined;
      this.#offsets.drop();
      if (error === undefined) return false;
      throw error;
    }

    this.#keyForms.push(keyForm);
    this.#valueForms.push(valueForm);
    this.#keySizes.push(this.#append(this.#key));
    this.#valueSizes.push(this.#append(this.#value));
    this.#topics.push(topic);
    this.#partitions.push(partition);
    this.#pushTimestamp(timestamp);
    this.#headerCounts.push(headerCount);
    if (headerCount > 0) this.#appendHeaders(headerCount);
    this.#offsets.push();
    this.#count += 1;
    return true;
  }

  /** The batch as a whole SourceTaskMessage; the packer is empty afterwards. */
  finish(batchSeq: number, pollEnd: boolean): PackedBatch {
    const columns = this.#parts();
    const batch: PackedBatch = {
      message: encodeRecords(batchSeq, pollEnd, this.#count, columns),
      costRecords: Math.max(1, this.#count),
      costBytes: this.costBytes,
      count: this.#count,
      lastOffsets: Array.from(this.#offsets.lastOffsets(), ([id, offset]) => [
        this.#definitions.partitionText(id),
        offset,
      ]),
    };
    this.#clear();
    return batch;
  }

  /** The batch's Columns, to be written before the next `add`; the packer is empty afterwards. */
  takeColumns(): { count: number; columns: MessageParts } {
    const taken = { count: this.#count, columns: this.#parts() };
    this.#clear();
    return taken;
  }

  #parts(): MessageParts {
    const columns = new MessageParts();
    columns.add(2, this.#arena.bytes());
    columns.zeroOrN(3, this.#keySizes);
    columns.zeroOrN(4, this.#valueSizes);
    columns.zeroOneOrN(5, this.#keyForms);
    columns.zeroOneOrN(6, this.#valueForms);
    columns.zeroOneOrN(7, this.#topics);
    columns.zeroOneOrN(8, this.#partitions);
    if (this.#timestampsVary) columns.add(9, this.#timestamps.bytes());
    else if (this.#lastTimestamp !== -1)
      columns.add(9, wideVarint(wideZigzag(this.#lastTimestamp, 0)));
    columns.zeroOrN(10, this.#headerCounts);
    columns.add(11, this.#headerNames.bytes());
    columns.zeroOrN(12, this.#headerSizes);
    columns.zeroOneOrN(13, this.#headerForms);
    this.#offsets.finish(columns);
    return columns;
  }

  /** What goes into the arena for a value, and its form into #form. */
  #piece(value: unknown, schema: Schema | null | undefined): Piece {
    if (schema) return this.#typedPiece(value, schema);
    if (value === null || value === undefined) {
      this.#form = nullForm.id;
      return null;
    }
    if (typeof value === "string" && isWellFormed(value)) {
      this.#form = this.#definitions.plainForm("text").id;
      return value;
    }
    if (value instanceof Uint8Array) {
      this.#form = this.#definitions.plainForm("bytes").id;
      return value;
    }
    if (value instanceof SameValue) {
      this.#form = this.#definitions.sameForm(value.form);
      return value.bytes;
    }
    const form = this.#definitions.plainForm("json");
    this.#form = form.id;
    return form.write(value);
  }

  #typedPiece(value: unknown, schema: Schema): Piece {
    const form = this.#definitions.form(schema, typeof value !== "string" || isWellFormed(value));
    this.#form = form.id;
    if (value === null || value === undefined) {
      if (!schema.optional && schema.default === undefined) form.write(value);
      return null;
    }
    if (form.encoding === "json") return form.write(value);
    if (form.encoding === "text") {
      if (typeof value === "string") return value;
    } else if (value instanceof Uint8Array) return value;
    throw new DataError(`a ${typeof value} is not of the schema's type ${schema.type}`);
  }

  #prepareHeaders(headers: readonly Header[]): number {
    if (headers.length > headersMax) {
      throw new DataError(`a record has ${headers.length} headers; the limit is ${headersMax}`);
    }
    for (let at = 0; at < headers.length; at += 1) {
      this.#headerPieces[at] = this.#piece(headers[at]!.value, headers[at]!.schema);
      this.#headerFormIds[at] = this.#form;
      this.#headerNameIds[at] = this.#definitions.name(headers[at]!.name);
    }
    return headers.length;
  }

  /** Where the record has room. */
  #room(headerCount: number): "here" | "next batch" | "nowhere" {
    const base = this.costBytes + rowBytes * (1 + headerCount);
    const limit = this.#messageBytesMax - this.otherBytes;
    const most = sizeMost(this.#key) + sizeMost(this.#value);
    if (headerCount === 0 && base + most <= limit) return "here";
    if (base + this.#exactSize(headerCount) <= limit) return "here";
    return this.#count > 0 || this.otherBytes > 0 ? "next batch" : "nowhere";
  }

  #exactSize(headerCount: number): number {
    let size = sizeOf(this.#key) + sizeOf(this.#value);
    for (let at = 0; at < headerCount; at += 1) size += sizeOf(this.#headerPieces[at]!);
    return size;
  }

  #tooLarge(headerCount: number): RecordTooLargeError {
    const size = this.costBytes + rowBytes * (1 + headerCount) + this.#exactSize(headerCount);
    return new RecordTooLargeError(
      `a record has ${size} bytes as a message; the limit is ${this.#messageBytesMax}`,
      { hint: "raise the host's limit for plugin messages or make smaller records" },
    );
  }

  #append(piece: Piece): number {
    if (piece === null) return 0;
    const size =
      typeof piece === "string" ? this.#arena.writeText(piece) : this.#arena.writeBytes(piece);
    return size + 1;
  }

  #appendHeaders(count: number): void {
    for (let at = 0; at < count; at += 1) {
      this.#headerNames.push(this.#headerNameIds[at]!);
      this.#headerForms.push(this.#headerFormIds[at]!);
      this.#headerSizes.push(this.#append(this.#headerPieces[at]!));
    }
    this.#headers += count;
  }

  #pushTimestamp(timestamp: number): void {
    const before = this.#count === 0 ? 0 : this.#lastTimestamp;
    if (this.#count > 0) this.#timestampsVary ||= timestamp !== before;
    const delta = timestamp - before;
    if (Math.abs(delta) <= zigzagMax) this.#timestamps.push(zigzag(delta));
    else this.#timestamps.pushWide(wideZigzag(timestamp, before));
    this.#lastTimestamp = timestamp;
  }

  #clear(): void {
    this.#arena.length = 0;
    for (const column of this.#columns) column.clear();
    this.#count = 0;
    this.#headers = 0;
    this.#lastTimestamp = -1;
    this.#timestampsVary = false;
    this.#offsets.clear();
  }
}

function checkedTimestamp(timestamp: number | null | undefined): number {
  if (timestamp === undefined || timestamp === null) return -1;
  if (!Number.isSafeInteger(timestamp)) throw new DataError(`not a timestamp: ${timestamp}`);
  return timestamp;
}

/** As the column holds it: partition + 1, 0 = none. */
function checkedPartition(partition: number | null | undefined): number {
  if (partition === undefined || partition === null) return 0;
  if (!Number.isInteger(partition) || partition < 0 || partition > 0x7fff_fffe) {
    throw new DataError(`not a partition: ${partition}`);
  }
  return partition + 1;
}

function sizeMost(piece: Piece): number {
  return piece === null ? 0 : typeof piece === "string" ? piece.length * 3 : piece.length;
}

function sizeOf(piece: Piece): number {
  return piece === null ? 0 : typeof piece === "string" ? Buffer.byteLength(piece) : piece.length;
}

// Node 20 has it, the ES2023 library does not.
function isWellFormed(text: string): boolean {
  return (text as unknown as { isWellFormed(): boolean }).isWellFormed();
}
