/** What one producer has for one partition: sealed batches in order, and one that still grows. */
import { type Deferred, deferred } from "../base/deferred.ts";
import type { Compression } from "../batch/compression.ts";
import type { PendingBatch } from "../batch/pending-batch.ts";
import type { Receipt } from "../kafka/kafka.ts";
import type { RecordSlice } from "../record/record-slice.ts";
import type { PartitionLog } from "./partition-log.ts";

/** What a queue needs from its producer. */
export interface QueueOwner {
  readonly batchBytesMax: number;
  readonly compression: Compression | undefined;
  takeBatch(): PendingBatch;
  /** The batch had its outcome; `bytes` are free again. */
  giveBack(batch: PendingBatch, bytes: number): void;
  /** Sees to it that `startWriting` is called soon. */
  schedule(queue: PartitionQueue): void;
}

/**
 * While one batch is being written the next one grows, so batches are small when little is sent and
 * large when much is.
 */
export class PartitionQueue {
  readonly log: PartitionLog;
  readonly #owner: QueueOwner;
  readonly #sealed: PendingBatch[] = [];
  #open: PendingBatch | undefined;
  #inFlight: PendingBatch | undefined;
  #writing: Promise<void> | undefined;
  /** Batches sealed and batches with an outcome, since the beginning. */
  #sealedCount = 0;
  #endedCount = 0;
  #flushes: { sealedCount: number; done: Deferred<void> }[] = [];

  constructor(log: PartitionLog, owner: QueueOwner) {
    this.log = log;
    this.#owner = owner;
  }

  /** Copies the record; returns the bytes it takes. */
  add(
    record: RecordSlice,
    timestampMs: number,
    sizeBound: number,
    receipt: Receipt,
    index: number,
  ): number {
    if (this.#open !== undefined) {
      if (this.#open.builder.sizeBytes + sizeBound > this.#owner.batchBytesMax) {
        this.#seal();
        this.startWriting();
      }
    }
    if (this.#open === undefined) {
      this.#open = this.#owner.takeBatch();
      if (this.#writing === undefined) this.#owner.schedule(this);
    }
    const { builder } = this.#open;
    const before = builder.recordCount === 0 ? 0 : builder.sizeBytes;
    this.#open.add(record, timestampMs, receipt, index);
    return builder.sizeBytes - before;
  }

  /** Writes whatever is there, and what comes while it does. */
  startWriting(): void {
    this.#writing ??= this.#write();
  }

  /** Resolves when everything added so far has an outcome. */
  flush(): Promise<void> {
    this.#seal();
    if (this.#sealedCount === this.#endedCount) return Promise.resolve();
    const done = deferred();
    this.#flushes.push({ sealedCount: this.#sealedCount, done });
    this.startWriting();
    return done.promise;
  }

  /** Gives everything without an outcome this one. A write that goes on tells nobody. */
  fail(error: Error): void {
    this.#seal();
    this.#inFlight?.tellFailed(error);
    for (const batch of this.#sealed.splice(0)) {
      batch.tellFailed(error);
      this.#end(batch);
    }
  }

  #seal(): void {
    if (this.#open === undefined) return;
    this.#sealed.push(this.#open);
    this.#sealedCount += 1;
    this.#open = undefined;
  }

  async #write(): Promise<void> {
    for (;;) {
      if (this.#sealed.length === 0) this.#seal();
      const batch = this.#sealed.shift();
      if (batch === undefined) break;
      this.#inFlight = batch;
      try {
        const { compression } = this.#owner;
        if (compression !== undefined) await batch.builder.compress(compression);
        const baseOffset = await this.log.append(batch.builder);
        batch.tellStored(this.log.topic, this.log.partition, baseOffset);
      } catch (error) {
        batch.tellFailed(error as Error);
      }
      this.#inFlight = undefined;
      this.#end(batch);
    }
    this.#writing = undefined;
  }

  #end(batch: PendingBatch): void {
    this.#endedCount += 1;
    this.#owner.giveBack(batch, batch.builder.sizeBytes);
    while (this.#flushes.length > 0 && this.#flushes[0]!.sealedCount <= this.#endedCount) {
      this.#flushes.shift()!.done.resolve();
    }
  }
}
