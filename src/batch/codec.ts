/** What each way of compressing a batch's records has to offer. */

/** Those of the record batch v2, by Kafka's names. */
export type CodecName = "gzip" | "snappy" | "lz4" | "zstd";

/** Sizes of what is not compressed. From these on the work goes to another thread. */
interface ThreadBytesMin {
  readonly compress: number;
  readonly decompress: number;
}

/**
 * Byte arrays in, byte arrays out; none is kept. Errors are those of the library, or `TooLarge`; who calls
 * says what was being read.
 */
export interface Codec {
  readonly name: CodecName;
  /** In the attributes of a batch. */
  readonly id: number;
  /** The package it needs; undefined where Node has it. */
  readonly packageName?: string;
  /** Measured so that the event loop waits a quarter of a millisecond at most; a hop costs 0.05. */
  readonly threadBytesMin: ThreadBytesMin;
  /** Fails where the package is missing. */
  load(): void;
  compress(bytes: Uint8Array, level: number | undefined): Uint8Array;
  /** `bytes` must stay as they are until it resolves. */
  compressInThread(bytes: Uint8Array, level: number | undefined): Promise<Uint8Array>;
  /**
   * How much will come out: exact where the payload tells, else an estimate. It decides between threads and
   * counts against bounds, but bounds nothing by itself.
   * @throws TooLarge when more than `bytesMax` would come out (by less than a block it may be let pass)
   */
  expectedSize(payload: Uint8Array, bytesMax: number): number;
  /** For a payload that `expectedSize` let pass. @throws TooLarge */
  decompress(payload: Uint8Array, bytesMax: number): Uint8Array;
  decompressInThread(payload: Uint8Array, bytesMax: number): Promise<Uint8Array>;
}

/** A payload holds more than it may. */
export class TooLarge extends Error {}

/**
 * An estimate between what is usual and what is possible: blocks that are not full are common, and payloads
 * that shrank to a hundredth are not, but both exist.
 */
export function estimate(payload: Uint8Array, bound: number): number {
  return Math.max(Math.min(bound, payload.length * 10), bound / 16);
}
