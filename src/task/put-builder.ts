/**
 * Packs records for a sink plugin into columns. The arrays are kept and used again for the next
 * batch; a column whose values are all the same shrinks to length 1, as the contract allows.
 */
import { type Columns, emptyColumns } from "../record/columns.ts";

export interface PutLimits {
  readonly recordsMax: number;
  /** By the contract's size formula. */
  readonly bytesMax: number;
  /** When this much is in the arena the batch is full enough to be sent. */
  readonly arenaBytesGoal: number;
}

/** One column that grows; knows whether all its values are equal. */
class Column<A extends Uint32Array | Float64Array> {
  values: A;
  length = 0;
  uniform = true;
  readonly #grow: (size: number) => A;

  constructor(grow: (size: number) => A) {
    this.#grow = grow;
    this.values = grow(1_024);
  }

  push(value: number): void {
    if (this.length === this.values.length) {
      const larger = this.#grow(this.values.length * 2);
      larger.set(this.values as never);
      this.values = larger;
    }
    this.values[this.length] = value;
    if (this.length > 0 && this.uniform && this.values[0] !== value) this.uniform = false;
    this.length += 1;
  }

  clear(): void {
    this.length = 0;
    this.uniform = true;
  }

  /** The last values are taken back; what was equal stays so. */
  shrink(length: number): void {
    this.length = length;
    if (length <= 1) this.uniform = true;
  }

  all(): A {
    return this.values.subarray(0, this.length) as A;
  }

  /** Length 1 when all are equal. */
  uniformOrAll(): A {
    return this.uniform ? (this.values.subarray(0, 1) as A) : this.all();
  }

  /** Length 1 when all are equal; length 0 when that one value is the column's default. */
  packed(absent: number): A {
    if (this.length === 0 || !this.uniform) return this.all();
    return this.values.subarray(0, this.values[0] === absent ? 0 : 1) as A;
  }
}

const uints = (size: number) => new Uint32Array(size);
const floats = (size: number) => new Float64Array(size);

export class PutBuilder {
  readonly #limits: PutLimits;
  #arena = Buffer.allocUnsafeSlow(256 * 1_024);
  #used = 0;
  /** Where the arena of the last record begins. */
  #recordStart = 0;
  readonly #keySizes = new Column(uints);
  readonly #valueSizes = new Column(uints);
  readonly #keyForms = new Column(uints);
  readonly #valueForms = new Column(uints);
  readonly #topics = new Column(uints);
  readonly #partitions = new Column(uints);
  readonly #timestamps = new Column(floats);
  readonly #timestampTypes = new Column(uints);
  readonly #offsets = new Column(floats);
  /** Empty unless transforms may give records another place. */
  readonly #originalTopics = new Column(uints);
  readonly #originalPartitions = new Column(uints);
  readonly #headerCounts = new Column(uints);
  readonly #headerNames = new Column(uints);
  readonly #headerSizes = new Column(uints);
  readonly #headerForms = new Column(uints);

  constructor(limits: PutLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#offsets.length;
  }

  /** Whether a record of that size still fits; the first always does. */
  fits(bytes: number, headers: number): boolean {
    if (this.count === 0) return true;
    if (this.count >= this.#limits.recordsMax) return false;
    if (this.#used >= this.#limits.arenaBytesGoal) return false;
    const slots = this.count + 1 + this.#headerNames.length + headers;
    return this.#used + bytes + 64 * slots + 4_096 <= this.#limits.bytesMax;
  }

  /** Takes back the record that was begun last, however far it came. */
  undo(): void {
    const last = this.count - 1;
    const headers = this.#headerNames.length - (this.#headerCounts.values[last] as number);
    for (const column of [
      this.#topics,
      this.#partitions,
      this.#offsets,
      this.#timestamps,
      this.#timestampTypes,
      this.#headerCounts,
      this.#keyForms,
      this.#keySizes,
      this.#valueForms,
      this.#valueSizes,
    ]) {
      column.shrink(last);
    }
    for (const column of [this.#originalTopics, this.#originalPartitions]) {
      column.shrink(Math.min(last, column.length));
    }
    for (const column of [this.#headerNames, this.#headerForms, this.#headerSizes]) {
      column.shrink(Math.min(headers, column.length));
    }
    this.#used = this.#recordStart;
  }

  /** Starts a record. Add key, value and headers after it, in this order. */
  record(
    topic: number,
    partition: number,
    offset: number,
    timestampMs: number,
    timestampType: number,
  ): void {
    this.#recordStart = this.#used;
    this.#topics.push(topic);
    this.#partitions.push(partition + 1);
    this.#offsets.push(offset);
    this.#timestamps.push(timestampMs);
    this.#timestampTypes.push(timestampType);
    this.#headerCounts.push(0);
  }

  /** Where the record was read, behind `record`: for each record of a batch or for none. */
  original(topic: number, partition: number): void {
    this.#originalTopics.push(topic);
    this.#originalPartitions.push(partition + 1);
  }

  key(form: number, bytes: Uint8Array, start: number, end: number): void {
    this.#keyForms.push(form);
    this.#keySizes.push(this.#copy(bytes, start, end));
  }

  value(form: number, bytes: Uint8Array, start: number, end: number): void {
    this.#valueForms.push(form);
    this.#valueSizes.push(this.#copy(bytes, start, end));
  }

  header(name: number, form: number, bytes: Uint8Array, start: number, end: number): void {
    const last = this.#headerCounts.length - 1;
    this.#headerCounts.values[last] = (this.#headerCounts.values[last] as number) + 1;
    this.#headerNames.push(name);
    this.#headerForms.push(form);
    this.#headerSizes.push(this.#copy(bytes, start, end));
  }

  /** The batch; its arrays are this builder's own and valid until `clear`. */
  columns(): Columns {
    const columns = emptyColumns();
    columns.count = this.count;
    columns.arena = this.#arena.subarray(0, this.#used);
    columns.keySizes = this.#allNull(this.#keySizes) ? columns.keySizes : this.#keySizes.all();
    columns.valueSizes = this.#valueSizes.all();
    columns.keyForms = this.#keyForms.packed(0);
    columns.valueForms = this.#valueForms.packed(0);
    columns.topics = this.#topics.packed(0);
    columns.partitions = this.#partitions.packed(0);
    columns.timestamps = this.#timestamps.packed(-1);
    columns.timestampTypes = this.#timestampTypes.packed(1);
    columns.offsets = this.#offsets.all();
    if (this.#originalTopics.length > 0) {
      columns.originalTopics = this.#originalTopics.uniformOrAll();
      columns.originalPartitions = this.#originalPartitions.uniformOrAll();
    }
    if (this.#headerNames.length > 0) {
      columns.headerCounts = this.#headerCounts.all();
      columns.headerNames = this.#headerNames.all();
      columns.headerSizes = this.#headerSizes.all();
      columns.headerForms = this.#headerForms.packed(0);
    }
    return columns;
  }

  clear(): void {
    this.#used = 0;
    for (const column of [
      this.#keySizes,
      this.#valueSizes,
      this.#keyForms,
      this.#valueForms,
      this.#topics,
      this.#partitions,
      this.#timestamps,
      this.#timestampTypes,
      this.#offsets,
      this.#originalTopics,
      this.#originalPartitions,
      this.#headerCounts,
      this.#headerNames,
      this.#headerSizes,
      this.#headerForms,
    ]) {
      column.clear();
    }
  }

  #allNull(sizes: Column<Uint32Array>): boolean {
    return sizes.uniform && sizes.values[0] === 0;
  }

  /** Copies one run into the arena; answers its size as the columns count it (0 = null). */
  #copy(bytes: Uint8Array, start: number, end: number): number {
    if (start < 0) return 0;
    const size = end - start;
    if (this.#used + size > this.#arena.length) this.#enlarge(this.#used + size);
    const arena = this.#arena;
    let at = this.#used;
    if (size < 48)
      for (let from = start; from < end; from += 1) arena[at++] = bytes[from] as number;
    else if (Buffer.isBuffer(bytes)) bytes.copy(arena, at, start, end);
    else arena.set(bytes.subarray(start, end), at);
    this.#used += size;
    return size + 1;
  }

  #enlarge(needed: number): void {
    let size = this.#arena.length;
    while (size < needed) size *= 2;
    const larger = Buffer.allocUnsafeSlow(size);
    this.#arena.copy(larger, 0, 0, this.#used);
    this.#arena = larger;
  }
}
