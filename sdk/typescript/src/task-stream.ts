import type { ByteStream } from "./channel.ts";
import { type Deferred, deferred } from "./deferred.ts";

/**
 * The plugin's end of one task's stream. It always reads: `onMessage` must not wait. A write is taken
 * at once; `drained` says when there is room for the next large one.
 */
export class TaskStream {
  readonly #stream: ByteStream;
  readonly #opened = deferred();
  readonly #ended = deferred<string>();
  #blocked: Deferred<void> | undefined;
  #open = true;

  constructor(stream: ByteStream, onMessage: (bytes: Buffer) => void) {
    this.#stream = stream;
    stream.once("metadata", () => this.#opened.resolve());
    stream.on("data", onMessage);
    stream.on("drain", () => {
      this.#blocked?.resolve();
      this.#blocked = undefined;
    });
    stream.on("error", (error) => this.#close(error.message));
    stream.on("end", () => this.#close("the host ended the stream"));
  }

  /** Resolves when the host has taken the ticket; rejects when it has not. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /** Resolves with the reason when nothing more can be sent. */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  write(message: Uint8Array): void {
    if (!this.#open) return;
    if (!this.#stream.write(message)) this.#blocked ??= deferred();
  }

  /** Undefined when the last write left room. */
  get drained(): Promise<void> | undefined {
    return this.#blocked?.promise;
  }

  /** Half-closes: nothing more is sent, the host may still say something. */
  finish(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#stream.end();
    this.#blocked?.resolve();
  }

  cancel(): void {
    this.#stream.cancel();
    this.#close("the task was given up");
  }

  #close(reason: string): void {
    this.#open = false;
    this.#opened.reject(new Error(`the host refused the task's stream: ${reason}`));
    this.#ended.resolve(reason);
    this.#blocked?.resolve();
  }
}
