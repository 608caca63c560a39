import type { Schema } from "./schema.ts";
import { parseSchema } from "./schema-text.ts";
import { WireReader } from "./wire.ts";

/** How a value of a batch is to be read. */
export interface InForm {
  readonly id: number;
  readonly encoding: "bytes" | "text" | "json";
  readonly schema: Schema | null;
  /** The schema as it came. */
  readonly schemaText: string | undefined;
}

const nullForm: InForm = { id: 0, encoding: "bytes", schema: null, schemaText: undefined };

/** What the ids of a sink stream mean. Replaced as a whole after a Forget; a batch keeps its own. */
export class InDefinitions {
  readonly topics: string[] = [];
  readonly names: string[] = [];
  readonly #forms: InForm[] = [nullForm];

  form(id: number): InForm {
    return this.#forms[id] ?? this.#forms[0]!;
  }

  hasForm(id: number): boolean {
    return this.#forms[id] !== undefined;
  }

  defineForm(id: number, encoding: InForm["encoding"], schema: string | undefined): void {
    const parsed = schema === undefined ? null : parseSchema(schema);
    this.#forms[id] = { id, encoding, schema: parsed, schemaText: schema };
  }
}

const none = new Uint32Array(0);
const noFloats = new Float64Array(0);

/** A Put's columns, unpacked from the wire. Rows are read with an index; nothing is made per record. */
export class PutBatch {
  putSeq = 0;
  epoch = 0;
  count = 0;
  readonly definitions: InDefinitions;
  arena: Uint8Array = new Uint8Array(0);
  keySizes = none;
  valueSizes = none;
  keyForms = none;
  valueForms = none;
  topics = none;
  partitions = none;
  timestamps = noFloats;
  headerCounts = none;
  headerNames = none;
  headerSizes = none;
  headerForms = none;
  offsets = noFloats;
  timestampTypes = none;
  originalTopics = none;
  originalPartitions = none;
  /** Where each record's key begins in the arena. */
  starts = none;
  /** Where each record's headers begin in the header columns; empty without headers. */
  headerStarts = none;

  /**
   * `hasOffsets` false: records of a source may be among those that come, which have none.
   * @throws RangeError where the message breaks the contract
   */
  constructor(definitions: InDefinitions, put: WireReader, hasOffsets = true) {
    this.definitions = definitions;
    while (put.at < put.end) {
      const tag = put.varint();
      if (tag === 0x08) this.putSeq = put.varint();
      else if (tag === 0x10) this.epoch = put.varint();
      else if (tag === 0x1a) {
        const end = put.block();
        this.#readColumns(new WireReader(put.bytes, put.at, end));
        put.at = end;
      } else put.skip(tag & 7);
    }
    this.#check(hasOffsets);
    this.#layOut();
  }

  /** What the batch cost in bytes of credit. */
  get costBytes(): number {
    return this.arena.length + 64 * (this.count + this.headerNames.length) + 4_096;
  }

  #readColumns(from: WireReader): void {
    while (from.at < from.end) {
      const mark = from.at;
      const tag = from.varint();
      if (tag === 0x08) {
        this.count = from.varint();
        continue;
      }
      if ((tag & 7) === 0) {
        // Protobuf lets a sender write a column as single numbers; hosts do not.
        from.at = mark;
        this.#readUnpacked(tag, from);
        continue;
      }
      if ((tag & 7) !== 2) {
        from.skip(tag & 7);
        continue;
      }
      const end = from.block();
      this.#readColumn(tag >>> 3, new WireReader(from.bytes, from.at, end));
      from.at = end;
    }
  }

  /** All numbers in a row with the same tag. */
  #readUnpacked(tag: number, from: WireReader): void {
    const parts: Uint8Array[] = [];
    while (from.at < from.end) {
      const mark = from.at;
      if (from.varint() !== tag) {
        from.at = mark;
        break;
      }
      const start = from.at;
      from.skip(0);
      parts.push(from.bytes.subarray(start, from.at));
    }
    const bytes = Buffer.concat(parts);
    this.#readColumn(tag >>> 3, new WireReader(bytes, 0, bytes.length));
  }

  #readColumn(field: number, from: WireReader): void {
    if (field === 2) this.arena = from.bytes.subarray(from.at, from.end);
    else if (field === 3) this.keySizes = numbers(from);
    else if (field === 4) this.valueSizes = numbers(from);
    else if (field === 5) this.keyForms = numbers(from);
    else if (field === 6) this.valueForms = numbers(from);
    else if (field === 7) this.topics = numbers(from);
    else if (field === 8) this.partitions = numbers(from);
    else if (field === 9) this.timestamps = sums(from);
    else if (field === 10) this.headerCounts = numbers(from);
    else if (field === 11) this.headerNames = numbers(from);
    else if (field === 12) this.headerSizes = numbers(from);
    else if (field === 13) this.headerForms = numbers(from);
    else if (field === 17) this.offsets = sums(from);
    else if (field === 18) this.timestampTypes = numbers(from);
    else if (field === 19) this.originalTopics = numbers(from);
    else if (field === 20) this.originalPartitions = numbers(from);
  }

  #check(hasOffsets: boolean): void {
    const { count } = this;
    if (count > 10_000) throw new RangeError(`a batch of ${count} records`);
    const headers = this.headerNames.length;
    const checks: [column: string, length: number, allowed: readonly number[]][] = [
      ["key_sizes", this.keySizes.length, [0, count]],
      ["value_sizes", this.valueSizes.length, [0, count]],
      ["key_forms", this.keyForms.length, [0, 1, count]],
      ["value_forms", this.valueForms.length, [0, 1, count]],
      ["topics", this.topics.length, count === 0 ? [0] : [1, count]],
      ["partitions", this.partitions.length, [0, 1, count]],
      ["timestamps", this.timestamps.length, [0, 1, count]],
      ["header_counts", this.headerCounts.length, [0, count]],
      ["header_sizes", this.headerSizes.length, [0, headers]],
      ["header_forms", this.headerForms.length, [0, 1, headers]],
      ["offsets", this.offsets.length, hasOffsets ? [count] : [0, count]],
      ["timestamp_types", this.timestampTypes.length, [0, 1, count]],
      ["original_topics", this.originalTopics.length, [0, 1, count]],
      ["original_partitions", this.originalPartitions.length, [0, 1, count]],
    ];
    for (const [column, length, allowed] of checks) {
      if (!allowed.includes(length)) {
        throw new RangeError(`column ${column} has ${length} entries in a batch of ${count}`);
      }
    }
    for (const id of this.topics) {
      if (this.definitions.topics[id] === undefined) throw new RangeError(`no topic has id ${id}`);
    }
    for (const forms of [this.keyForms, this.valueForms, this.headerForms]) {
      for (const id of forms) {
        if (!this.definitions.hasForm(id)) throw new RangeError(`no form has id ${id}`);
      }
    }
    for (const id of this.headerNames) {
      if (this.definitions.names[id] === undefined) throw new RangeError(`no name has id ${id}`);
    }
  }

  #layOut(): void {
    const { count, keySizes, valueSizes, headerCounts, headerSizes } = this;
    const starts = new Uint32Array(count);
    const headerStarts = headerCounts.length === 0 ? none : new Uint32Array(count);
    let at = 0;
    let header = 0;
    for (let row = 0; row < count; row += 1) {
      starts[row] = at;
      at += Math.max(0, (keySizes[row] ?? 0) - 1) + Math.max(0, (valueSizes[row] ?? 0) - 1);
      if (headerStarts.length === 0) continue;
      headerStarts[row] = header;
      for (const end = header + headerCounts[row]!; header < end; header += 1) {
        at += Math.max(0, (headerSizes[header] ?? 0) - 1);
      }
    }
    if (at !== this.arena.length || header !== this.headerNames.length) {
      throw new RangeError("the sizes of a batch do not add up to its arena");
    }
    this.starts = starts;
    this.headerStarts = headerStarts;
  }
}

/** Packed varints of up to 32 bits. */
function numbers(from: WireReader): Uint32Array<ArrayBuffer> {
  const { bytes, end } = from;
  let count = 0;
  for (let at = from.at; at < end; at += 1) if (bytes[at]! < 128) count += 1;
  const values = new Uint32Array(count);
  for (let row = 0; row < count; row += 1) {
    const byte = bytes[from.at]!;
    if (byte < 128) {
      values[row] = byte;
      from.at += 1;
    } else values[row] = from.varint();
  }
  if (from.at !== end) throw new RangeError("a column ends within a number");
  return values;
}

/** Packed zigzag deltas, summed up. */
function sums(from: WireReader): Float64Array<ArrayBuffer> {
  const { bytes, end } = from;
  let count = 0;
  for (let at = from.at; at < end; at += 1) if (bytes[at]! < 128) count += 1;
  const values = new Float64Array(count);
  let sum = 0;
  for (let row = 0; row < count; row += 1) {
    const byte = bytes[from.at]!;
    const start = from.at;
    const raw = byte < 128 ? byte : from.varint();
    if (byte < 128) from.at += 1;
    if (raw <= Number.MAX_SAFE_INTEGER) sum += raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
    else sum = wideSum(sum, new WireReader(from.bytes, start, end).wideVarint());
    values[row] = sum;
  }
  if (from.at !== end) throw new RangeError("a column ends within a number");
  return values;
}

/** Where a difference does not fit a double; modulo 2^64. */
function wideSum(sum: number, raw: bigint): number {
  const delta = (raw >> 1n) ^ -(raw & 1n);
  return Number(BigInt.asIntN(64, BigInt(sum) + delta));
}
