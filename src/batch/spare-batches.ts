import { PendingBatch } from "./pending-batch.ts";

/** Empty batches kept to be used again: together so large, each at most. */
const spareBytesMax = 4 * 1024 * 1024;
const spareEachBytesMax = 2 * 1024 * 1024;

/** Batches whose buffers are used again, so that a busy producer does not keep the collector busy. */
export class SpareBatches {
  readonly #spare: PendingBatch[] = [];
  #bytes = 0;

  /** An empty one. */
  take(): PendingBatch {
    const spare = this.#spare.pop();
    if (spare === undefined) return new PendingBatch();
    this.#bytes -= spare.builder.capacityBytes;
    return spare;
  }

  /** Empties it; nobody may use it or its bytes any more. */
  give(batch: PendingBatch): void {
    batch.reset();
    const { capacityBytes } = batch.builder;
    // I5: what is too much goes to the collector.
    if (capacityBytes > spareEachBytesMax || this.#bytes + capacityBytes > spareBytesMax) return;
    this.#spare.push(batch);
    this.#bytes += capacityBytes;
  }
}
