/**
 * Which batches of a fetched partition belong to aborted transactions, decided by batch headers alone:
 * an aborted batch is never decompressed or decoded.
 */
import { attribute, type BatchHeader } from "../../batch/batch-header.ts";
import type { AbortedTransaction } from "../protocol/fetch.ts";

/** One for each answer of a broker; its batches are shown in the order of their offsets. */
export class AbortedFilter {
  readonly #transactions: readonly AbortedTransaction[];
  /** Of these the next `#begun` ones have begun. */
  #begun = 0;
  /** Producers whose transaction at this place was aborted. */
  readonly #producers = new Set<number>();

  constructor(aborted: readonly AbortedTransaction[]) {
    // The broker tells them in the order of their markers; where they overlap, an earlier begin comes later.
    this.#transactions = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  }

  /** Once for each batch, control batches too. */
  leavesOut(batch: BatchHeader): boolean {
    if (this.#transactions.length === 0) return false;
    // What began before the place where the fetch began is in the list as well.
    for (; this.#begun < this.#transactions.length; this.#begun += 1) {
      const { firstOffset, producerId } = this.#transactions[this.#begun]!;
      if (firstOffset > batch.lastOffset) break;
      this.#producers.add(producerId);
    }
    if (batch.isControl) {
      // Whatever a marker says, it ends the transaction; compaction leaves markers of producers that
      // are in no list.
      this.#producers.delete(batch.producerId);
      return false;
    }
    const isTransactional = (batch.attributes & attribute.transactional) !== 0;
    return isTransactional && this.#producers.has(batch.producerId);
  }
}
