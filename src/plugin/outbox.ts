import { type Deferred, deferred } from "../base/deferred.ts";
import { TaskError } from "../base/error.ts";
import type { ByteStream } from "./grpc-service.ts";
import { limits } from "./limits.ts";

/** The sending half of a stream: knows when the other side is behind, and when there is none. */
export class Outbox {
  readonly #call: ByteStream;
  readonly #bytesMax: number;
  #full = false;
  #closed = false;
  #drained: Deferred<void> | undefined;
  readonly #onDrain: () => void;

  /** `onDrain` is called when a full outbox has room again. */
  constructor(call: ByteStream, messageBytesMax: number, onDrain: () => void = () => {}) {
    this.#call = call;
    this.#bytesMax = messageBytesMax + limits.frameBytes;
    this.#onDrain = onDrain;
    call.on("drain", () => {
      this.#full = false;
      this.#drained?.resolve();
      this.#drained = undefined;
      this.#onDrain();
    });
  }

  /** Whether a message goes on its way instead of waiting in memory. */
  get hasRoom(): boolean {
    return !this.#full && !this.#closed;
  }

  /** Whether `drained` has something to wait for; never of a closed one. */
  get isFull(): boolean {
    return this.#full && !this.#closed;
  }

  /**
   * Sends in order. I5: who sends more than a few messages waits for `hasRoom` or `drained`.
   * @throws TaskError when the message is over what the other side accepts
   */
  send(message: Uint8Array): void {
    if (this.#closed) return;
    if (message.length > this.#bytesMax) {
      throw new TaskError(
        "plugin.protocol_error",
        `a message to the plugin has ${message.length} bytes; at most ${this.#bytesMax} fit`,
      );
    }
    // grpc-js copies with a method that only a Buffer has.
    const { buffer, byteOffset, length } = message;
    this.#full = !this.#call.write(Buffer.from(buffer, byteOffset, length));
  }

  /** Resolves once there is room, or none will come. */
  drained(): Promise<void> {
    if (!this.isFull) return Promise.resolve();
    this.#drained ??= deferred();
    return this.#drained.promise;
  }

  /** Nothing is sent from here on. */
  close(): void {
    this.#closed = true;
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  /** Half-closes with status OK after what was sent. */
  end(): void {
    if (this.#closed) return;
    this.close();
    this.#call.end();
  }

  /** Ends the stream with an error status. */
  fail(code: number, details: string): void {
    if (this.#closed) return;
    this.close();
    const wellFormed = Buffer.from(details.slice(0, 1_000)).toString();
    this.#call.emit("error", Object.assign(new Error(wellFormed), { code, details: wellFormed }));
  }
}
