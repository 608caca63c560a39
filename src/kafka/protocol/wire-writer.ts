/** Fields of a request, big-endian, into one growing buffer; large byte fields are kept by reference. */
import { writeInt16, writeInt32, writeInt64 } from "../../batch/varint.ts";

/** From here on a byte field is written to the socket from where it is, instead of being copied. */
const referenceBytesMin = 2_048;

export class WireWriter {
  #bytes: Uint8Array;
  #size = 0;
  /** Finished parts before what `#bytes` holds from `#start` on. */
  readonly #parts: Uint8Array[] = [];
  #start = 0;
  #partsBytes = 0;

  constructor(initialBytes = 256) {
    this.#bytes = Buffer.allocUnsafeSlow(initialBytes);
  }

  /** So far, also what is kept by reference. */
  get sizeBytes(): number {
    return this.#partsBytes + this.#size - this.#start;
  }

  int8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#size++] = value;
  }

  bool(value: boolean): void {
    this.int8(value ? 1 : 0);
  }

  int16(value: number): void {
    this.#reserve(2);
    writeInt16(this.#bytes, this.#size, value);
    this.#size += 2;
  }

  int32(value: number): void {
    this.#reserve(4);
    writeInt32(this.#bytes, this.#size, value);
    this.#size += 4;
  }

  /** Exact as far as a double is. */
  int64(value: number): void {
    this.#reserve(8);
    writeInt64(this.#bytes, this.#size, value);
    this.#size += 8;
  }

  /** UNSIGNED_VARINT of the flexible versions. */
  unsignedVarint(value: number): void {
    this.#reserve(5);
    let left = value >>> 0;
    while (left >= 0x80) {
      this.#bytes[this.#size++] = (left & 0x7f) | 0x80;
      left >>>= 7;
    }
    this.#bytes[this.#size++] = left;
  }

  /** STRING, or NULLABLE_STRING. */
  string(value: string | null): void {
    if (value === null) {
      this.int16(-1);
      return;
    }
    const size = Buffer.byteLength(value);
    this.int16(size);
    this.#text(value, size);
  }

  /** COMPACT_STRING, or COMPACT_NULLABLE_STRING. */
  compactString(value: string | null): void {
    if (value === null) {
      this.unsignedVarint(0);
      return;
    }
    const size = Buffer.byteLength(value);
    this.unsignedVarint(size + 1);
    this.#text(value, size);
  }

  /** BYTES, or NULLABLE_BYTES; must not change until the request is on its way. */
  bytes(value: Uint8Array | null): void {
    if (value === null) {
      this.int32(-1);
      return;
    }
    this.int32(value.length);
    this.raw(value);
  }

  /** COMPACT_BYTES, or COMPACT_NULLABLE_BYTES; as `bytes`. */
  compactBytes(value: Uint8Array | null): void {
    if (value === null) {
      this.unsignedVarint(0);
      return;
    }
    this.unsignedVarint(value.length + 1);
    this.raw(value);
  }

  /** ARRAY; null is written as such. */
  array<T>(items: readonly T[] | null, each: (item: T) => void): void {
    this.int32(items === null ? -1 : items.length);
    for (const item of items ?? []) each(item);
  }

  /** COMPACT_ARRAY. */
  compactArray<T>(items: readonly T[] | null, each: (item: T) => void): void {
    this.unsignedVarint(items === null ? 0 : items.length + 1);
    for (const item of items ?? []) each(item);
  }

  /** The end of a struct in a flexible version: we have no tagged fields. */
  noTags(): void {
    this.unsignedVarint(0);
  }

  /** Bytes without a length before them. */
  raw(value: Uint8Array): void {
    if (value.length < referenceBytesMin) {
      this.#reserve(value.length);
      this.#bytes.set(value, this.#size);
      this.#size += value.length;
      return;
    }
    this.#cut();
    this.#parts.push(value);
    this.#partsBytes += value.length;
  }

  /** Everything written, in order, to be written to a socket one after the other. */
  parts(): readonly Uint8Array[] {
    this.#cut();
    return this.#parts;
  }

  #cut(): void {
    if (this.#size === this.#start) return;
    this.#parts.push(this.#bytes.subarray(this.#start, this.#size));
    this.#partsBytes += this.#size - this.#start;
    this.#start = this.#size;
  }

  #text(value: string, size: number): void {
    this.#reserve(size);
    Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length).write(
      value,
      this.#size,
    );
    this.#size += size;
  }

  #reserve(extraBytes: number): void {
    const needed = this.#size + extraBytes;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = grown;
  }
}
