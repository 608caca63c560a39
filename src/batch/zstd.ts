/** Zstandard frames. */
import { type Codec, estimate, TooLarge } from "./codec.ts";
import { NativePackage } from "./native-package.ts";

const magic = 0xfd2fb528;
const skippableMagicMin = 0x184d2a50;
/** A block never holds more. */
const blockBytesMax = 128 * 1024;
const levelDefault = 3;

const native = new NativePackage<typeof import("@toondepauw/node-zstd")>("@toondepauw/node-zstd");
type Decoder = InstanceType<typeof import("@toondepauw/node-zstd").Decoder>;

let sharedDecoder: Decoder | undefined;

/** Without a dictionary a decoder has no state. */
function decoder(): Decoder {
  sharedDecoder ??= new (native.get().Decoder)();
  return sharedDecoder;
}

/** Level 1 to 22, or below 0 for less work than 1; none = 3. */
export const zstdCodec: Codec = {
  name: "zstd",
  id: 4,
  packageName: native.name,
  threadBytesMin: { compress: 32_768, decompress: 131_072 },
  load: () => void native.get(),
  compress: (bytes, level = levelDefault) =>
    new (native.get().Encoder)(level).encodeSync(asBuffer(bytes)),
  compressInThread: (bytes, level = levelDefault) =>
    new (native.get().Encoder)(level).encode(asBuffer(bytes)),
  expectedSize: (payload, bytesMax) => estimate(payload, sizeBound(payload, bytesMax)),
  decompress: (payload) => decoder().decodeSync(asBuffer(payload)),
  decompressInThread: (payload) => decoder().decode(asBuffer(payload)),
};

/** A view: the library wants to see a Buffer. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * The library has no limit of its own, and a frame may leave out its size (Java's do), so the blocks are
 * counted before it sees them. Each holds 128 KiB at most, and all but the last of an honest frame do.
 */
function sizeBound(payload: Uint8Array, bytesMax: number): number {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  let bound = 0;
  let at = 0;
  while (at < payload.length) {
    const mark = uint32(view, at);
    if (mark >= skippableMagicMin && mark < skippableMagicMin + 16) {
      at += 8 + uint32(view, at + 4);
      continue;
    }
    if (mark !== magic) throw new Error(`it is no Zstandard frame at byte ${at}`);
    const frame = blocksBound(view, at, bytesMax - bound);
    bound += frame.bound;
    at = frame.end;
  }
  if (at !== payload.length) throw new Error("the last frame is not whole");
  return bound;
}

function blocksBound(view: DataView, start: number, bytesMax: number) {
  const descriptor = uint8(view, start + 4);
  const isSingle = (descriptor & 32) !== 0;
  const hasChecksum = (descriptor & 4) !== 0;
  const sizeCode = descriptor >> 6;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const sizeBytes = sizeCode === 0 ? (isSingle ? 1 : 0) : 1 << sizeCode;
  let at = start + 5 + (isSingle ? 0 : 1) + dictionaryBytes + sizeBytes;
  let bound = 0;
  for (let isLast = false; !isLast; ) {
    const head = uint8(view, at) | (uint8(view, at + 1) << 8) | (uint8(view, at + 2) << 16);
    isLast = (head & 1) !== 0;
    const type = (head >> 1) & 3;
    const size = head >> 3;
    if (type === 3 || size > blockBytesMax) throw new Error(`there is no block at byte ${at}`);
    // 0 as it is, 1 one byte so many times, 2 compressed.
    bound += type === 2 ? blockBytesMax : size;
    if (bound - blockBytesMax > bytesMax) throw new TooLarge();
    at += 3 + (type === 1 ? 1 : size);
  }
  return { bound, end: at + (hasChecksum ? 4 : 0) };
}

function uint8(view: DataView, at: number): number {
  if (at >= view.byteLength) throw new Error("the last frame is not whole");
  return view.getUint8(at);
}

function uint32(view: DataView, at: number): number {
  if (at + 4 > view.byteLength) throw new Error("the last frame is not whole");
  return view.getUint32(at, true);
}
