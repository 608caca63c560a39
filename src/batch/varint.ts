/**
 * Kafka's variable-length numbers: zigzag, seven bits a byte, least significant first. Each function
 * writes at a place it is given and returns the place after it; none allocates.
 */

const twoTo31 = 2 ** 31;
const exactMax = 2 ** 51;

/** Bytes that `writeVarint` needs for an int32. */
export function varintSize(value: number): number {
  const z = ((value << 1) ^ (value >> 31)) >>> 0;
  if (z < 0x80) return 1;
  if (z < 0x4000) return 2;
  if (z < 0x200000) return 3;
  return z < 0x10000000 ? 4 : 5;
}

/** An int32. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let z = ((value << 1) ^ (value >> 31)) >>> 0;
  let place = at;
  while (z >= 0x80) {
    bytes[place++] = (z & 0x7f) | 0x80;
    z >>>= 7;
  }
  bytes[place++] = z;
  return place;
}

/** The place behind a number that stands at `at`, whatever its size. */
export function afterVarint(bytes: Uint8Array, at: number): number {
  let place = at;
  while (bytes[place++]! >= 0x80);
  return place;
}

/** Bytes that `writeVarlong` needs for an integer of up to 64 bits. */
export function varlongSize(value: number): number {
  if (value >= -twoTo31 && value < twoTo31) return varintSize(value);
  let size = 1;
  for (let z = value >= 0 ? value * 2 : -value * 2 - 1; z >= 0x80; z = Math.floor(z / 0x80)) size++;
  return size;
}

/** An integer of up to 64 bits, exact as far as a double is. */
export function writeVarlong(bytes: Uint8Array, at: number, value: number): number {
  if (value >= -twoTo31 && value < twoTo31) return writeVarint(bytes, at, value);
  let place = at;
  // Doubling a double is exact; `- 1` is not from 2 ** 53 on, where the last bit is the sign's alone.
  if (value > -exactMax) {
    let z = value >= 0 ? value * 2 : -value * 2 - 1;
    while (z >= 0x80) {
      bytes[place++] = (z % 0x80) | 0x80;
      z = Math.floor(z / 0x80);
    }
    bytes[place++] = z;
    return place;
  }
  let z = -BigInt(value) * 2n - 1n;
  while (z >= 0x80n) {
    bytes[place++] = Number(z & 0x7fn) | 0x80;
    z >>= 7n;
  }
  bytes[place++] = Number(z);
  return place;
}

/** A big-endian int64, exact as far as a double is. */
export function writeInt64(bytes: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / 2 ** 32);
  writeInt32(bytes, at, high | 0);
  writeInt32(bytes, at + 4, (value - high * 2 ** 32) | 0);
}

/** The nearest double to a big-endian int64. */
export function readInt64(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at) * 2 ** 32 + (readInt32(bytes, at + 4) >>> 0);
}

export function writeInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function readInt32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

export function writeInt16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function readInt16(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) >> 16) | bytes[at + 1]!;
}
