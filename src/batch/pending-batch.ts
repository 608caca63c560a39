/** A batch on its way into a log, with the receipts of its records. */
import type { RecordSlice } from "../record/record-slice.ts";
import { BatchBuilder } from "./encode.ts";
import type { Receipt } from "./receipt.ts";

export class PendingBatch {
  readonly builder = new BatchBuilder();
  /** One number a record: what `send` was called with. */
  readonly #indexes: number[] = [];
  /** The receipts in order, and for each the first of its records. */
  readonly #receipts: Receipt[] = [];
  readonly #starts: number[] = [];
  #isTold = false;

  /** Whether the outcome of its records was told. */
  get isTold(): boolean {
    return this.#isTold;
  }

  /** Copies the record. */
  add(record: RecordSlice, timestampMs: number, receipt: Receipt, index: number): void {
    this.builder.append(record, timestampMs);
    this.#note(receipt, index);
  }

  /**
   * I7: each record's receipt is told once, here or in `tellFailed`.
   * @throws what a receipt threw, after the others were told as well
   */
  tellStored(topic: string, partition: number, baseOffset: number, logAppendTimeMs = -1): void {
    this.#tellEach((receipt, from, to) => {
      const first = baseOffset === -1 ? -1 : baseOffset + from;
      receipt.stored(this.#indexes, from, to, {
        topic,
        partition,
        baseOffset: first,
        logAppendTimeMs,
      });
    });
  }

  /** @throws as `tellStored` */
  tellFailed(error: Error): void {
    this.#tellEach((receipt, from, to) => receipt.failed(this.#indexes, from, to, error));
  }

  /** The receipt of the record at this place, and the number it was sent with. */
  receiptAt(place: number): { receipt: Receipt; index: number } {
    let n = this.#starts.length - 1;
    while (n > 0 && this.#starts[n]! > place) n -= 1;
    return { receipt: this.#receipts[n]!, index: this.#indexes[place]! };
  }

  /** Moves the second half of two records or more, with their receipts, into an empty batch. */
  splitInto(other: PendingBatch): void {
    this.builder.splitInto(other.builder);
    const stayCount = this.builder.recordCount;
    for (let place = stayCount; place < this.#indexes.length; place += 1) {
      const { receipt, index } = this.receiptAt(place);
      other.#note(receipt, index);
    }
    this.#indexes.length = stayCount;
    while (this.#starts.at(-1)! >= stayCount) {
      this.#starts.pop();
      this.#receipts.pop();
    }
  }

  /** The outcome is somebody else's to tell from now on: its records were moved to other batches. */
  letGo(): void {
    this.#isTold = true;
  }

  /** Makes it empty, to be used again. */
  reset(): void {
    this.builder.reset();
    this.#indexes.length = 0;
    this.#receipts.length = 0;
    this.#starts.length = 0;
    this.#isTold = false;
  }

  #tellEach(tell: (receipt: Receipt, from: number, to: number) => void): void {
    if (this.#isTold) return;
    this.#isTold = true;
    const thrown: unknown[] = [];
    for (const [n, receipt] of this.#receipts.entries()) {
      try {
        tell(receipt, this.#starts[n]!, this.#starts[n + 1] ?? this.#indexes.length);
      } catch (error) {
        thrown.push(error);
      }
    }
    if (thrown.length > 0) throw thrown[0];
  }

  #note(receipt: Receipt, index: number): void {
    const last = this.#receipts.length - 1;
    if (last < 0 || this.#receipts[last] !== receipt) {
      this.#receipts.push(receipt);
      this.#starts.push(this.#indexes.length);
    }
    this.#indexes.push(index);
  }
}
