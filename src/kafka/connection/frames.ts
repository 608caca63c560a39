/** Kafka's frames: a size of four bytes, then a request or an answer. */
import { RetriableError } from "../../base/error.ts";
import { type SocketReceiver, scratch } from "./socket-input.ts";

/** More than any fetch asks for; the first bytes of other protocols (HTTP, TLS) claim more. */
const frameBytesMax = 320 * 1024 * 1024;

export interface FrameListener {
  /** Memory of at least that size for the frame that has begun. */
  memory(size: number): Uint8Array;
  /** A whole frame without its size stands at the beginning of its memory. */
  frame(memory: Uint8Array, size: number): void;
}

/**
 * Cuts what a socket brings into frames, each in memory of its own. Once the size of one is known the
 * socket reads into that memory, so that of a large answer only the beginning is copied.
 */
export class FrameReader implements SocketReceiver {
  readonly #listener: FrameListener;
  /** The size so far, while not all four bytes of it are here. */
  #size = 0;
  #sizeBytes = 0;
  #frame: Uint8Array | undefined;
  #filled = 0;
  /** The rest of the frame, given to the socket. */
  #room: Uint8Array | undefined;

  constructor(listener: FrameListener) {
    this.#listener = listener;
  }

  room(): Uint8Array {
    this.#room = this.#frame?.subarray(this.#filled, this.#size);
    return this.#room ?? scratch;
  }

  /** @throws RetriableError `kafka.answer_malformed` when the size is none that a broker sends */
  arrived(room: Uint8Array, count: number): void {
    if (room !== this.#room) this.#push(room.subarray(0, count));
    else this.#fill(count);
  }

  #push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#frame === undefined) {
        at = this.#begin(chunk, at);
        continue;
      }
      const end = Math.min(chunk.length, at + this.#size - this.#filled);
      this.#frame.set(chunk.subarray(at, end), this.#filled);
      this.#fill(end - at);
      at = end;
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
    // I5: nothing is allocated for a size that no broker means.
    if (this.#size < 4 || this.#size > frameBytesMax) {
      const text = `cannot read a broker's answer: it claims a size of ${this.#size >>> 0} bytes`;
      throw new RetriableError("kafka.answer_malformed", text);
    }
    this.#frame = this.#listener.memory(this.#size);
    this.#filled = 0;
    return at;
  }

  #fill(count: number): void {
    const frame = this.#frame;
    const size = this.#size;
    this.#filled += count;
    if (frame === undefined || this.#filled < size) return;
    this.#frame = undefined;
    this.#size = 0;
    this.#sizeBytes = 0;
    this.#listener.frame(frame, size);
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
