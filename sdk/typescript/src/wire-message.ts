import { type VarintColumn, varintLength, writeVarint, writeWideVarint } from "./wire.ts";

/** The fields of a Columns message, collected before their total length is known. */
export class MessageParts {
  readonly #fields: number[] = [];
  readonly #blocks: Uint8Array[] = [];

  /** A field of bytes or packed numbers; an empty one is left out. */
  add(field: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#fields.push(field);
    this.#blocks.push(bytes);
  }

  /** A column that is left out where all is 0 and whole otherwise. */
  zeroOrN(field: number, column: VarintColumn): void {
    if (!column.uniform || column.first !== 0) this.add(field, column.bytes());
  }

  /** A column that is one value long where all are equal, and left out where all are 0. */
  zeroOneOrN(field: number, column: VarintColumn): void {
    if (!column.uniform) this.add(field, column.bytes());
    else if (column.first !== 0) this.add(field, varint(column.first));
  }

  get length(): number {
    let length = 0;
    for (const [at, block] of this.#blocks.entries()) {
      length += headLength(this.#fields[at]!, block.length) + block.length;
    }
    return length;
  }

  writeTo(into: Uint8Array, start: number): number {
    let end = start;
    for (const [at, block] of this.#blocks.entries()) {
      end = writeHead(into, end, this.#fields[at]!, block.length);
      into.set(block, end);
      end += block.length;
    }
    return end;
  }
}

/** One number of up to 64 bits as varint bytes. */
export function wideVarint(value: bigint): Uint8Array {
  const bytes = new Uint8Array(10);
  return bytes.subarray(0, writeWideVarint(bytes, 0, value));
}

/** One number as varint bytes. */
export function varint(value: number): Uint8Array {
  const bytes = new Uint8Array(varintLength(value));
  writeVarint(bytes, 0, value);
  return bytes;
}

function headLength(field: number, length: number): number {
  return (field < 16 ? 1 : 2) + varintLength(length);
}

function writeHead(into: Uint8Array, at: number, field: number, length: number): number {
  return writeVarint(into, writeVarint(into, at, field * 8 + 2), length);
}

const resultField = 8;
const resultColumnsField = 3;

/** StageMessage{result}: `head` is the StageResult without its columns. */
export function encodeStageResult(head: Uint8Array, count: number, columns: MessageParts): Buffer {
  const countLength = count === 0 ? 0 : 1 + varintLength(count);
  const columnsLength = countLength + columns.length;
  const block = count === 0 ? 0 : headLength(resultColumnsField, columnsLength) + columnsLength;
  const resultLength = head.length + block;
  const message = Buffer.allocUnsafe(headLength(resultField, resultLength) + resultLength);
  let at = writeHead(message, 0, resultField, resultLength);
  message.set(head, at);
  at += head.length;
  if (count === 0) return message;
  at = writeHead(message, at, resultColumnsField, columnsLength);
  message[at] = 0x08;
  columns.writeTo(message, writeVarint(message, at + 1, count));
  return message;
}

const recordsField = 8;
const columnsField = 2;

/** SourceTaskMessage{records: Records{batch_seq, columns{count, …}, poll_end}} */
export function encodeRecords(
  batchSeq: number,
  pollEnd: boolean,
  count: number,
  columns: MessageParts,
): Buffer {
  const countLength = count === 0 ? 0 : 1 + varintLength(count);
  const columnsLength = countLength + columns.length;
  const recordsLength =
    1 +
    varintLength(batchSeq) +
    headLength(columnsField, columnsLength) +
    columnsLength +
    (pollEnd ? 2 : 0);
  const message = Buffer.allocUnsafe(headLength(recordsField, recordsLength) + recordsLength);
  let at = writeHead(message, 0, recordsField, recordsLength);
  message[at] = 0x08;
  at = writeVarint(message, at + 1, batchSeq);
  at = writeHead(message, at, columnsField, columnsLength);
  if (count > 0) {
    message[at] = 0x08;
    at = writeVarint(message, at + 1, count);
  }
  at = columns.writeTo(message, at);
  if (pollEnd) message.set([0x18, 1], at);
  return message;
}
