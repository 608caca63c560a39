/**
 * Snappy as Java's library frames it (a header of 16 bytes, then blocks with their length in front); a raw
 * block without a frame, as some clients write it, is read too.
 */
import { setImmediate } from "node:timers/promises";
import { type Codec, TooLarge } from "./codec.ts";
import { NativePackage } from "./native-package.ts";
import { readInt32, writeInt32 } from "./varint.ts";

/** The mark, then the version and the lowest version that can read it, both 1. */
const frameHeader = new Uint8Array([
  0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1,
]);
const markBytes = 8;

/** Three bytes of a block copy 64 at most. */
const ratioMax = 64;

/** How much is decompressed before others get their turn: a third of a millisecond. */
const turnBytes = 512 * 1024;

const native = new NativePackage<typeof import("snappy")>("snappy");

/** It has no levels. */
export const snappyCodec: Codec = {
  name: "snappy",
  id: 2,
  packageName: native.name,
  threadBytesMin: { compress: 131_072, decompress: 262_144 },
  load: () => void native.get(),
  compress: (bytes) => framed(native.get().compressSync(bytes)),
  compressInThread: async (bytes) => framed(await native.get().compress(bytes)),
  expectedSize(payload, bytesMax) {
    let size = 0;
    for (const { start, end } of blocksOf(payload)) size += blockSize(payload, start, end);
    if (size > bytesMax) throw new TooLarge();
    return size;
  },
  decompress(payload) {
    const { uncompressSync } = native.get();
    return joined(
      blocksOf(payload).map(({ start, end }) => uncompressSync(payload.subarray(start, end))),
    );
  },
  decompressInThread,
};

/** Java's blocks have 32 KiB: too little for a hop each, so these are done here, a few at a time. */
async function decompressInThread(payload: Uint8Array): Promise<Uint8Array> {
  const { uncompress, uncompressSync } = native.get();
  const parts: (string | Buffer)[] = [];
  let sinceTurn = 0;
  for (const { start, end } of blocksOf(payload)) {
    const block = payload.subarray(start, end);
    const size = blockSize(payload, start, end);
    if (size >= snappyCodec.threadBytesMin.decompress) {
      parts.push(await uncompress(block));
      continue;
    }
    parts.push(uncompressSync(block));
    sinceTurn += size;
    if (sinceTurn < turnBytes) continue;
    sinceTurn = 0;
    await setImmediate();
  }
  return joined(parts);
}

/** The library's types speak of texts too, which only another option makes. */
function joined(parts: readonly (string | Buffer)[]): Uint8Array {
  const buffers = parts as readonly Buffer[];
  return buffers.length === 1 ? buffers[0]! : Buffer.concat(buffers);
}

/** One block: its bytes are found by their length, so there is nothing to gain from several. */
function framed(block: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(frameHeader.length + 4 + block.length);
  bytes.set(frameHeader);
  writeInt32(bytes, frameHeader.length, block.length);
  bytes.set(block, frameHeader.length + 4);
  return bytes;
}

interface Block {
  readonly start: number;
  readonly end: number;
}

function blocksOf(payload: Uint8Array): Block[] {
  const isFramed = frameHeader.subarray(0, markBytes).every((byte, n) => payload[n] === byte);
  if (!isFramed) return [{ start: 0, end: payload.length }];
  const blocks: Block[] = [];
  for (let at = frameHeader.length; at < payload.length; ) {
    const start = at + 4;
    const size = start <= payload.length ? readInt32(payload, at) : -1;
    if (size < 0 || start + size > payload.length) throw new Error(`no whole block at byte ${at}`);
    blocks.push({ start, end: start + size });
    at = start + size;
  }
  return blocks;
}

/** What a block says it holds: a varint in front, not zigzag. */
function blockSize(payload: Uint8Array, start: number, end: number): number {
  let size = 0;
  let weight = 1;
  for (let at = start; at < end && at < start + 5; at++) {
    const byte = payload[at]!;
    size += (byte & 0x7f) * weight;
    weight *= 128;
    if (byte < 0x80) {
      if (size > (end - start) * ratioMax) throw new Error(`a block cannot hold ${size} bytes`);
      return size;
    }
  }
  throw new Error("a block has no length");
}
