/** Fields of a response, one after the other. */
import { RetriableError } from "../../base/error.ts";
import { readInt16, readInt32, readInt64 } from "../../batch/varint.ts";

export class WireReader {
  readonly #bytes: Uint8Array;
  #at: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get leftBytes(): number {
    return this.#end - this.#at;
  }

  int8(): number {
    const at = this.#take(1);
    return (this.#bytes[at]! << 24) >> 24;
  }

  bool(): boolean {
    return this.int8() !== 0;
  }

  int16(): number {
    return readInt16(this.#bytes, this.#take(2));
  }

  int32(): number {
    return readInt32(this.#bytes, this.#take(4));
  }

  /** The nearest double. */
  int64(): number {
    return readInt64(this.#bytes, this.#take(8));
  }

  unsignedVarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#take(1)]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw this.#malformed("a number of more than five bytes");
  }

  /** NULLABLE_STRING. */
  nullableString(): string | null {
    const size = this.int16();
    return size < 0 ? null : this.#text(size);
  }

  /** STRING. */
  string(): string {
    return this.nullableString() ?? "";
  }

  /** COMPACT_NULLABLE_STRING. */
  compactNullableString(): string | null {
    const size = this.unsignedVarint() - 1;
    return size < 0 ? null : this.#text(size);
  }

  /** COMPACT_STRING. */
  compactString(): string {
    return this.compactNullableString() ?? "";
  }

  /** NULLABLE_BYTES, as a view of the response. */
  nullableBytes(): Uint8Array | null {
    const size = this.int32();
    return size < 0 ? null : this.#view(size);
  }

  /** BYTES, as a view of the response. */
  bytes(): Uint8Array {
    return this.nullableBytes() ?? this.#view(0);
  }

  /** COMPACT_NULLABLE_BYTES, as a view of the response. */
  compactNullableBytes(): Uint8Array | null {
    const size = this.unsignedVarint() - 1;
    return size < 0 ? null : this.#view(size);
  }

  /** Everything that is left, as a view of the response. */
  rest(): Uint8Array {
    return this.#view(this.leftBytes);
  }

  /** ARRAY; a null one is empty. */
  array<T>(each: () => T): T[] {
    return this.#items(this.int32(), each);
  }

  /** COMPACT_ARRAY; a null one is empty. */
  compactArray<T>(each: () => T): T[] {
    return this.#items(this.unsignedVarint() - 1, each);
  }

  /** The tagged fields at the end of a struct of a flexible version: none of them concerns us. */
  skipTags(): void {
    for (let left = this.unsignedVarint(); left > 0; left -= 1) {
      this.unsignedVarint();
      this.#take(this.unsignedVarint());
    }
  }

  #items<T>(count: number, each: () => T): T[] {
    // I5: an item takes a byte at least, so a lying count ends here and not in an array of its size.
    if (count > this.leftBytes) throw this.#malformed(`an array of ${count} items`);
    const items: T[] = [];
    for (let n = 0; n < count; n += 1) items.push(each());
    return items;
  }

  #text(size: number): string {
    const at = this.#take(size);
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + at, size).toString();
  }

  #view(size: number): Uint8Array {
    const at = this.#take(size);
    return this.#bytes.subarray(at, at + size);
  }

  #take(size: number): number {
    const at = this.#at;
    if (size < 0 || at + size > this.#end) throw this.#malformed(`${size} bytes at byte ${at}`);
    this.#at = at + size;
    return at;
  }

  #malformed(what: string): RetriableError {
    const text = `cannot read a broker's answer of ${this.#end} bytes: it claims ${what}`;
    return new RetriableError("kafka.answer_malformed", text);
  }
}
