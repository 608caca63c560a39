/** A batch on its way into the log, with the receipts of its records. */
import type { BatchBuilder } from "../batch/encode.ts";
import type { Receipt } from "../kafka/kafka.ts";
import type { PartitionLog } from "./partition-log.ts";

export class PendingBatch {
  readonly builder: BatchBuilder;
  /** One number a record: what `send` was called with. */
  readonly #indexes: number[] = [];
  /** The receipts in order, and for each the first of its records. */
  readonly #receipts: Receipt[] = [];
  readonly #starts: number[] = [];
  #isTold = false;

  constructor(builder: BatchBuilder) {
    this.builder = builder;
  }

  /** For the record just appended to the builder. */
  note(receipt: Receipt, index: number): void {
    const last = this.#receipts.length - 1;
    if (last < 0 || this.#receipts[last] !== receipt) {
      this.#receipts.push(receipt);
      this.#starts.push(this.#indexes.length);
    }
    this.#indexes.push(index);
  }

  // I7: each record's receipt is told once, here or in `tellFailed`.
  tellStored(log: PartitionLog, baseOffset: number): void {
    if (this.#isTold) return;
    this.#isTold = true;
    const { topic, partition } = log;
    for (const [n, receipt] of this.#receipts.entries()) {
      const from = this.#starts[n]!;
      const to = this.#starts[n + 1] ?? this.#indexes.length;
      const at = { topic, partition, baseOffset: baseOffset + from, logAppendTimeMs: -1 };
      receipt.stored(this.#indexes, from, to, at);
    }
  }

  tellFailed(error: Error): void {
    if (this.#isTold) return;
    this.#isTold = true;
    for (const [n, receipt] of this.#receipts.entries()) {
      const to = this.#starts[n + 1] ?? this.#indexes.length;
      receipt.failed(this.#indexes, this.#starts[n]!, to, error);
    }
  }

  /** Makes it empty, to be used again. */
  reset(): void {
    this.builder.reset();
    this.#indexes.length = 0;
    this.#receipts.length = 0;
    this.#starts.length = 0;
    this.#isTold = false;
  }
}
