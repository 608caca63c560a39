/** LZ4 frames with independent blocks, the only ones that Kafka takes. */
import { type Codec, estimate, TooLarge } from "./codec.ts";
import { NativePackage } from "./native-package.ts";

const magic = 0x184d2204;
const flag = { blockChecksum: 16, contentSize: 8, contentChecksum: 4, dictionary: 1 };
/** What one byte of a block can become at most. */
const ratioMax = 255;

const native = new NativePackage<typeof import("lz4-napi")>("lz4-napi");

/** The library has one level; that of the config is checked and changes nothing. */
export const lz4Codec: Codec = {
  name: "lz4",
  id: 3,
  packageName: native.name,
  threadBytesMin: { compress: 131_072, decompress: 262_144 },
  load: () => void native.get(),
  compress: (bytes) => native.get().compressFrameSync(asBuffer(bytes)),
  compressInThread: (bytes) => native.get().compressFrame(bytes),
  expectedSize: (payload, bytesMax) => estimate(payload, sizeBound(payload, bytesMax)),
  decompress: (payload) => native.get().decompressFrameSync(asBuffer(payload)),
  decompressInThread: (payload) => native.get().decompressFrame(payload),
};

/** A view: the library wants to see a Buffer. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * The library has no limit of its own, so the blocks are counted before it sees them: each has a maximum
 * that the frame states and the library keeps to.
 */
function sizeBound(payload: Uint8Array, bytesMax: number): number {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  if (payload.length < 7 || view.getUint32(0, true) !== magic)
    throw new Error("it is no LZ4 frame");
  const flags = payload[4]!;
  const blockBytesMax = 1 << (8 + 2 * ((payload[5]! >> 4) & 7));
  let at = 7;
  if (flags & flag.contentSize) at += 8;
  if (flags & flag.dictionary) at += 4;
  let bound = 0;
  for (;;) {
    if (at + 4 > payload.length) throw new Error(`the frame ends early, at byte ${at}`);
    const head = view.getUint32(at, true);
    at += 4;
    if (head === 0) break;
    const size = head & 0x7fffffff;
    bound += head >= 0x80000000 ? size : Math.min(blockBytesMax, size * ratioMax);
    // What is too large by the bound may be smaller in truth by less than one block.
    if (bound - blockBytesMax > bytesMax) throw new TooLarge();
    at += size + (flags & flag.blockChecksum ? 4 : 0);
  }
  if (flags & flag.contentChecksum) at += 4;
  // A second frame would not have been counted.
  if (at !== payload.length)
    throw new Error(`the frame does not end with the payload, but at ${at}`);
  return bound;
}
