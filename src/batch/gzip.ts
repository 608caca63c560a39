/** gzip, which Node brings along. */
import { promisify } from "node:util";
import { gunzip, gunzipSync, gzip, gzipSync } from "node:zlib";
import { type Codec, TooLarge } from "./codec.ts";

/** What deflate can shrink at the very best. */
const ratioMax = 1_032;

const gzipInThread = promisify(gzip) as (
  bytes: Uint8Array,
  options: { level: number; chunkSize: number },
) => Promise<Buffer>;
const gunzipInThread = promisify(gunzip) as (
  bytes: Uint8Array,
  options: { maxOutputLength: number; chunkSize: number },
) => Promise<Buffer>;

/** Level 1 (fast) to 9 (small); -1 and none = zlib's own choice, 6. */
export const gzipCodec: Codec = {
  name: "gzip",
  id: 1,
  threadBytesMin: { compress: 16_384, decompress: 65_536 },
  load() {},
  compress: (bytes, level) => gzipSync(bytes, compressOptions(bytes, level)),
  compressInThread: (bytes, level) => gzipInThread(bytes, compressOptions(bytes, level)),
  expectedSize(payload, bytesMax) {
    const size = sizeAtEnd(payload);
    if (size > bytesMax) throw new TooLarge();
    return size;
  },
  decompress(payload, bytesMax) {
    try {
      return gunzipSync(payload, decompressOptions(payload, bytesMax));
    } catch (error) {
      throw tooLargeOr(error);
    }
  },
  async decompressInThread(payload, bytesMax) {
    try {
      return await gunzipInThread(payload, decompressOptions(payload, bytesMax));
    } catch (error) {
      throw tooLargeOr(error);
    }
  },
};

function compressOptions(bytes: Uint8Array, level = -1): { level: number; chunkSize: number } {
  return { level, chunkSize: Math.max(4_096, bytes.length >> 2) };
}

/** zlib puts chunks together; with the size that is expected there is only one. */
function decompressOptions(payload: Uint8Array, bytesMax: number) {
  const expected = Math.min(sizeAtEnd(payload), bytesMax);
  return { maxOutputLength: bytesMax, chunkSize: Math.max(1_024, expected + 1) };
}

/** The last four bytes are the size modulo 2^32, which zlib compares with what came out. */
function sizeAtEnd(payload: Uint8Array): number {
  const { length } = payload;
  if (length < 18) return 0;
  const size = payload[length - 4]! | (payload[length - 3]! << 8) | (payload[length - 2]! << 16);
  return Math.min(size + payload[length - 1]! * 2 ** 24, length * ratioMax);
}

function tooLargeOr(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ERR_BUFFER_TOO_LARGE" ? new TooLarge() : error;
}
