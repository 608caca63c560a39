/**
 * Kafka's default partitioning of keyed records: murmur2 of the key, made positive, modulo the
 * partitions. All clients of a topic have to agree on it bit by bit.
 */

const seed = 0x9747b28c;
const m = 0x5bd1e995;

/** The signed 32-bit hash of `bytes[start]` to `bytes[end - 1]`. */
export function murmur2(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  let h = seed ^ length;
  let at = start;
  for (const wholeEnd = start + (length & ~3); at < wholeEnd; at += 4) {
    let k = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    h = Math.imul(h, m) ^ Math.imul(k, m);
  }
  const rest = length & 3;
  if (rest === 3) h ^= bytes[at + 2]! << 16;
  if (rest >= 2) h ^= bytes[at + 1]! << 8;
  if (rest >= 1) h = Math.imul(h ^ bytes[at]!, m);
  h ^= h >>> 13;
  h = Math.imul(h, m);
  return h ^ (h >>> 15);
}

/** The partition that Kafka's producers give a record with this key. */
export function partitionOfKey(
  bytes: Uint8Array,
  start: number,
  end: number,
  partitionCount: number,
): number {
  return (murmur2(bytes, start, end) & 0x7fffffff) % partitionCount;
}
