/** A batch of the driver's producer, from its first record to its outcome. */
import type { PendingBatch } from "../../batch/pending-batch.ts";

/** Under which a batch is written by an idempotent producer. */
export interface ProducerIdentity {
  readonly id: number;
  readonly epoch: number;
}

/** What makes a batch the same for the broker however often it comes. */
export interface BatchPlace {
  readonly id: number;
  readonly epoch: number;
  readonly baseSequence: number;
}

/** What its records are told. */
export type BatchOutcome =
  | { readonly at: "stored"; readonly baseOffset: number; readonly logAppendTimeMs: number }
  | { readonly at: "failed"; readonly error: Error };

export class ProduceBatch {
  readonly pending: PendingBatch;
  /** When its first record came, on the clock that never goes back. */
  readonly startMs: number;
  /** Of the flush that has to wait for it. */
  readonly stamp: number;
  /** What it takes of `buffer.memory`. */
  heldBytes = 0;
  /**
   * Fixed with the first try and for ever, unless the broker has said that it is not stored under it.
   * Undefined without idempotence and before the first try.
   */
  place: BatchPlace | undefined;
  /** How many batches of its partition were numbered before it. */
  ordinal = 0;
  /** The very bytes that are sent with every try; undefined until it is to be sent. */
  bytes: Uint8Array | undefined;
  compression: "none" | "running" | "done" = "none";
  /** Held back until those before it have theirs, so that a partition's outcomes come in order. */
  outcome: BatchOutcome | undefined;
  isInFlight = false;
  /** A try ended without a word on whether the broker kept it. */
  mayBeStored = false;
  /**
   * It is a part of one that may be stored as a whole: brokers know repeats by their first and last
   * sequence, so this one can be stored under its own place or never.
   */
  isInDoubt = false;
  /** The last answer said that its sequence does not fit. */
  isRefused = false;
  tries = 0;
  oddAnswers = 0;

  constructor(pending: PendingBatch, startMs: number, stamp: number) {
    this.pending = pending;
    this.startMs = startMs;
    this.stamp = stamp;
  }

  get recordCount(): number {
    return this.pending.builder.recordCount;
  }

  /** On the wire, header included. */
  get sizeBytes(): number {
    return this.pending.builder.finishedBytes;
  }
}
