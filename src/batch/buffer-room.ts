import { type Deferred, deferred } from "../base/deferred.ts";

/** The bytes that a producer holds, and whoever waits until there are fewer. */
export class BufferRoom {
  readonly #bytesMax: number;
  #bytes = 0;
  #free: Deferred<void> | undefined;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Somebody waits: what lingers should go. */
  get isWanted(): boolean {
    return this.#free !== undefined;
  }

  /** Never waits, so that sending stays synchronous; `wait` is asked before a message of records. */
  take(bytes: number): void {
    this.#bytes += bytes;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#bytes >= this.#bytesMax || this.#free === undefined) return;
    this.#free.resolve();
    this.#free = undefined;
  }

  /** Resolves as soon as there is room, or when the signal fires. */
  async wait(signal?: AbortSignal): Promise<void> {
    while (this.#bytes >= this.#bytesMax && !signal?.aborted) {
      // I5: whoever sends waits here while the buffer is full.
      this.#free ??= deferred();
      const free = this.#free;
      await new Promise<void>((resolve) => {
        const stop = () => resolve();
        signal?.addEventListener("abort", stop, { once: true });
        void free.promise.then(() => {
          signal?.removeEventListener("abort", stop);
          resolve();
        });
      });
    }
  }
}
