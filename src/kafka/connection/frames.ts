/** Kafka's frames: a size of four bytes, then a request or an answer. */
import { RetriableError } from "../../base/error.ts";

/** More than any fetch asks for; the first bytes of other protocols (HTTP, TLS) claim more. */
const frameBytesMax = 320 * 1024 * 1024;

/** Gets each whole frame without its size. */
export type FrameListener = (bytes: Uint8Array, start: number, end: number) => void;

/**
 * Cuts what a socket brings into frames. One that came whole is handed over as it lies in the chunk;
 * one in several chunks is gathered into a buffer of its exact size, so that nothing is copied twice.
 */
export class FrameReader {
  readonly #listener: FrameListener;
  /** The size so far, while not all four bytes of it are here. */
  #size = 0;
  #sizeBytes = 0;
  #frame: Uint8Array | undefined;
  #filled = 0;

  constructor(listener: FrameListener) {
    this.#listener = listener;
  }

  /** @throws RetriableError `kafka.answer_malformed` when the size is none that a broker sends */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      at = this.#frame === undefined ? this.#begin(chunk, at) : this.#fill(this.#frame, chunk, at);
    }
  }

  #begin(chunk: Uint8Array, start: number): number {
    let at = start;
    while (this.#sizeBytes < 4 && at < chunk.length) {
      this.#size = (this.#size << 8) | chunk[at]!;
      this.#sizeBytes += 1;
      at += 1;
    }
    if (this.#sizeBytes < 4) return at;
    const size = this.#size;
    this.#size = 0;
    this.#sizeBytes = 0;
    // I5: nothing is allocated for a size that no broker means.
    if (size < 4 || size > frameBytesMax) {
      const text = `cannot read a broker's answer: it claims a size of ${size >>> 0} bytes`;
      throw new RetriableError("kafka.answer_malformed", text);
    }
    if (at + size <= chunk.length) {
      this.#listener(chunk, at, at + size);
      return at + size;
    }
    this.#frame = Buffer.allocUnsafeSlow(size);
    this.#filled = 0;
    return at;
  }

  #fill(frame: Uint8Array, chunk: Uint8Array, start: number): number {
    const end = Math.min(chunk.length, start + frame.length - this.#filled);
    frame.set(
      start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end),
      this.#filled,
    );
    this.#filled += end - start;
    if (this.#filled === frame.length) {
      this.#frame = undefined;
      this.#listener(frame, 0, frame.length);
    }
    return end;
  }
}

/** What stands before the body of a request. */
export interface RequestHeader {
  readonly key: number;
  readonly version: number;
  readonly correlationId: number;
  readonly clientId: Uint8Array;
  readonly isFlexible: boolean;
  readonly bodyBytes: number;
}

/** The size of the frame and the request's header (version 1, or 2 for flexible APIs). */
export function frameHeader(header: RequestHeader): Uint8Array {
  const { clientId } = header;
  const size = 14 + clientId.length + (header.isFlexible ? 1 : 0);
  const bytes = Buffer.allocUnsafe(size);
  bytes.writeInt32BE(size - 4 + header.bodyBytes, 0);
  bytes.writeInt16BE(header.key, 4);
  bytes.writeInt16BE(header.version, 6);
  bytes.writeInt32BE(header.correlationId, 8);
  bytes.writeInt16BE(clientId.length, 12);
  bytes.set(clientId, 14);
  if (header.isFlexible) bytes[size - 1] = 0;
  return bytes;
}
