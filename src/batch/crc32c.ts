/** CRC-32C (Castagnoli), eight bytes a step: about 1 GB/s, where byte by byte makes a third of that. */

const tables = makeTables();
const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
];

/** The checksum of `bytes[start]` to `bytes[end - 1]` as an unsigned number. */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  let crc = -1;
  let at = start;
  const wholeEnd = end - 7;
  while (at < wholeEnd) {
    const low =
      crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    crc =
      t7[low & 0xff]! ^
      t6[(low >>> 8) & 0xff]! ^
      t5[(low >>> 16) & 0xff]! ^
      t4[low >>> 24]! ^
      t3[bytes[at + 4]!]! ^
      t2[bytes[at + 5]!]! ^
      t1[bytes[at + 6]!]! ^
      t0[bytes[at + 7]!]!;
    at += 8;
  }
  while (at < end) crc = (crc >>> 8) ^ t0[(crc ^ bytes[at++]!) & 0xff]!;
  return ~crc >>> 0;
}

function makeTables(): Uint32Array[] {
  const made = [new Uint32Array(256)];
  for (let n = 0; n < 256; n++) {
    let crc = n;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    made[0]![n] = crc;
  }
  for (let table = 1; table < 8; table++) {
    const next = new Uint32Array(256);
    const last = made[table - 1]!;
    for (let n = 0; n < 256; n++) next[n] = made[0]![last[n]! & 0xff]! ^ (last[n]! >>> 8);
    made.push(next);
  }
  return made;
}
