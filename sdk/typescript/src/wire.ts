/**
 * The few pieces of protobuf's wire format that batches need, written by hand: a batch is the one
 * message whose cost is counted per record.
 */

/** Appends `value` (an integer from 0 to 2^53) as a varint; the caller has made room (10 bytes). */
export function writeVarint(into: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  while (rest >= 0x8000_0000) {
    into[at] = (rest % 128) | 128;
    at += 1;
    rest = Math.floor(rest / 128);
  }
  while (rest > 127) {
    into[at] = (rest & 127) | 128;
    at += 1;
    rest >>>= 7;
  }
  into[at] = rest;
  return at + 1;
}

/** As `writeVarint`, for values beyond 2^53. */
export function writeWideVarint(into: Uint8Array, start: number, value: bigint): number {
  let at = start;
  let rest = value;
  while (rest > 127n) {
    into[at] = Number(rest & 127n) | 128;
    at += 1;
    rest >>= 7n;
  }
  into[at] = Number(rest);
  return at + 1;
}

/** How many bytes `writeVarint` takes. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) length += 1;
  return length;
}

/** Signed integers with small absolute values as small unsigned ones; exact within ±`zigzagMax`. */
export function zigzag(value: number): number {
  return value >= 0 ? value * 2 : value * -2 - 1;
}

/** Twice a larger number is no longer exact: those go as `wideZigzag`. */
export const zigzagMax = 2 ** 52 - 1;

/** The difference of two integers as zigzag counts it, also where it does not fit a double. */
export function wideZigzag(value: number, before: number): bigint {
  const delta = BigInt(value) - BigInt(before);
  return delta >= 0n ? delta * 2n : delta * -2n - 1n;
}

/**
 * A column that grows: varints back to back. While all values are equal nothing is written, so that
 * a column which holds one value for all records costs next to nothing.
 */
export class VarintColumn {
  #bytes = new Uint8Array(256);
  #length = 0;
  #count = 0;
  #first = 0;
  #uniform = true;

  get first(): number {
    return this.#first;
  }

  /** Every value so far is the first one. */
  get uniform(): boolean {
    return this.#uniform;
  }

  push(value: number): void {
    if (this.#uniform) {
      if (this.#count === 0) this.#first = value;
      if (value === this.#first) {
        this.#count += 1;
        return;
      }
      this.#spread();
    }
    if (this.#length + 10 > this.#bytes.length) this.#grow(this.#length + 10);
    this.#length = writeVarint(this.#bytes, this.#length, value);
    this.#count += 1;
  }

  /** As `push`, for a value beyond 2^53. */
  pushWide(value: bigint): void {
    if (this.#uniform) this.#spread();
    if (this.#length + 10 > this.#bytes.length) this.#grow(this.#length + 10);
    this.#length = writeWideVarint(this.#bytes, this.#length, value);
    this.#count += 1;
  }

  /** All values; valid until the next push. */
  bytes(): Uint8Array {
    if (this.#uniform && this.#count > 0) this.#spread();
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
    this.#count = 0;
    this.#uniform = true;
  }

  #spread(): void {
    this.#uniform = false;
    if (this.#count === 0) return;
    const each = varintLength(this.#first);
    if (this.#count * each + 10 > this.#bytes.length) this.#grow(this.#count * each + 10);
    const end = writeVarint(this.#bytes, 0, this.#first);
    this.#length = end * this.#count;
    if (end === 1) {
      this.#bytes.fill(this.#first, 0, this.#length);
      return;
    }
    for (let at = end; at < this.#length; at += end) this.#bytes.copyWithin(at, 0, end);
  }

  #grow(needed: number): void {
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

const shortTextMax = 24;

/** Node's own writer behind Buffer.write, without the look at its arguments. */
type Utf8Buffer = Buffer & { utf8Write(text: string, offset: number): number };

/** Bytes that grow: the arenas of a batch. */
export class Arena {
  #buffer = Buffer.allocUnsafe(64 * 1024) as Utf8Buffer;
  length = 0;

  /** Appends UTF-8; gives the number of bytes. */
  writeText(text: string): number {
    const { length } = text;
    this.#reserve(length * 3);
    const start = this.length;
    if (length <= shortTextMax && this.#writeAscii(text, start)) {
      this.length = start + length;
      return length;
    }
    const size = this.#buffer.utf8Write(text, start);
    this.length = start + size;
    return size;
  }

  writeBytes(bytes: Uint8Array): number {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.length);
    this.length += bytes.length;
    return bytes.length;
  }

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.length);
  }

  /** The bytes from `mark` to the end are the same as those of [start, end). */
  endsTwice(start: number, end: number, mark: number): boolean {
    if (this.length - mark !== end - start) return false;
    // From the back: that is where numbers differ.
    for (let at = end - 1, other = this.length - 1; at >= start; at -= 1, other -= 1) {
      if (this.#buffer[at] !== this.#buffer[other]) return false;
    }
    return true;
  }

  text(start: number, end: number): string {
    return this.#buffer.toString("utf8", start, end);
  }

  /** Quicker than a native call for a short text. False = it is not ASCII. */
  #writeAscii(text: string, start: number): boolean {
    const buffer = this.#buffer;
    for (let at = 0; at < text.length; at += 1) {
      const unit = text.charCodeAt(at);
      if (unit > 127) return false;
      buffer[start + at] = unit;
    }
    return true;
  }

  #reserve(size: number): void {
    if (this.length + size <= this.#buffer.length) return;
    const needed = Math.max(this.length + size, this.#buffer.length * 2);
    const grown = Buffer.allocUnsafe(needed) as Utf8Buffer;
    grown.set(this.#buffer.subarray(0, this.length));
    this.#buffer = grown;
  }
}

/** Reads protobuf's wire format; refuses input that ends too early. */
export class WireReader {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** An unsigned varint as a number; exact to 2^53. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 10; count += 1) {
      if (this.at >= this.end) throw new RangeError("the message ends within a number");
      const byte = this.bytes[this.at]!;
      this.at += 1;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    throw new RangeError("a number has more than 10 bytes");
  }

  /** As `varint`, exact whatever the size. */
  wideVarint(): bigint {
    const start = this.at;
    this.varint();
    let value = 0n;
    for (let at = this.at - 1; at >= start; at -= 1) {
      value = (value << 7n) | BigInt(this.bytes[at]! & 127);
    }
    return value;
  }

  /** A length and the place where what it measures ends. */
  block(): number {
    const end = this.varint() + this.at;
    if (end > this.end) throw new RangeError("the message ends within a field");
    return end;
  }

  skip(wireType: number): void {
    if (wireType === 0) this.varint();
    else if (wireType === 1) this.at += 8;
    else if (wireType === 2) this.at = this.block();
    else if (wireType === 5) this.at += 4;
    else throw new RangeError(`unknown wire type ${wireType}`);
    if (this.at > this.end) throw new RangeError("the message ends within a field");
  }
}
