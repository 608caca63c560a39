/** Outcomes of batches: told in order within a partition, and the buffer is free again. */
import type { BufferRoom } from "../../batch/buffer-room.ts";
import type { PendingBatch } from "../../batch/pending-batch.ts";
import { SpareBatches } from "../../batch/spare-batches.ts";
import type { OutcomeBarrier } from "./outcome-barrier.ts";
import type { PartitionBatches } from "./partition-batches.ts";
import { type BatchOutcome, ProduceBatch } from "./produce-batch.ts";

export class BatchEnds {
  readonly #room: BufferRoom;
  readonly #barrier: OutcomeBarrier;
  readonly #broken: (error: unknown) => void;
  readonly #spare = new SpareBatches();

  /** `broken`: a receipt threw. */
  constructor(room: BufferRoom, barrier: OutcomeBarrier, broken: (error: unknown) => void) {
    this.#room = room;
    this.#barrier = barrier;
    this.#broken = broken;
  }

  /** An empty batch that counts for the buffer and for flushes. */
  begin(startMs: number, stamp?: number): ProduceBatch {
    const pending: PendingBatch = this.#spare.take();
    const batch = new ProduceBatch(pending, startMs, this.#barrier.enter(stamp));
    this.hold(batch, pending.builder.capacityBytes);
    return batch;
  }

  /** The batch takes so much now. */
  hold(batch: ProduceBatch, bytes: number): void {
    const more = bytes - batch.heldBytes;
    if (more <= 0) return;
    batch.heldBytes = bytes;
    this.#room.take(more);
  }

  /** Tells it as soon as those before it have theirs. */
  end(queue: PartitionBatches, batch: ProduceBatch, outcome: BatchOutcome): void {
    batch.outcome = outcome;
    batch.mayBeStored = false;
    for (let ended = queue.takeEnded(); ended !== undefined; ended = queue.takeEnded()) {
      this.#tell(queue, ended);
    }
  }

  /** Gives everything of the partition this outcome, also what is in flight. */
  failAll(queue: PartitionBatches, error: Error): void {
    queue.seal();
    for (const batch of [...queue.sealed]) {
      if (batch.outcome === undefined) this.end(queue, batch, { at: "failed", error });
    }
  }

  #tell(queue: PartitionBatches, batch: ProduceBatch): void {
    const { pending, outcome } = batch;
    try {
      // I7: the only place where the records of a batch are told.
      if (outcome?.at === "stored") {
        const { baseOffset, logAppendTimeMs } = outcome;
        pending.tellStored(queue.home.name, queue.partition, baseOffset, logAppendTimeMs);
      } else if (outcome?.at === "failed") {
        pending.tellFailed(outcome.error);
      }
    } catch (error) {
      this.#broken(error);
    } finally {
      this.#room.give(batch.heldBytes);
      this.#barrier.leave(batch.stamp);
    }
    // The bytes of a request that is still on its way must not change.
    if (!batch.isInFlight) this.#spare.give(pending);
  }
}
