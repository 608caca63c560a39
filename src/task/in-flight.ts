/**
 * Which source offsets are safe to commit and how far the plugin's batches have their outcomes. No
 * I/O and no clock: batches go in as they come, outcomes as they are known.
 *
 * I1: a source offset is committed only when every record before it is stored. The unit is the batch
 * (at most 10,000 records); only a task that is ending asks for the part of an unfinished one
 * (`takeCommittable({ partial: true })`), so that a record that failed costs no more repeats than in
 * Kafka Connect. Records that share an offset are never split: the last offset of a source partition
 * waits until the poll has ended or a record of that partition with another offset has followed
 * (proto/README.md, "Source").
 */

import type { SourceOffset } from "../plugin/plugin.ts";
import type { Columns, Definitions } from "../record/columns.ts";
import { type SourceOffsetEntry, sourceOffsetsBefore, sourceOffsetsOf } from "./source-offsets.ts";

/** What the plugin must be told: every batch up to `through` is stored. */
export interface AckedBatches {
  readonly through: number;
  /** Records in the batches that are new since the last time. */
  readonly count: number;
}

export interface BatchInFlight {
  readonly batchSeq: number;
  readonly columns: Columns;
  readonly definitions: Definitions;
  readonly offsetMode: "per-record" | "last";
}

interface Entry {
  readonly partition: string;
  readonly offset: string | null;
  stored: boolean;
  /** No later record can share this offset. */
  final: boolean;
  /** A later batch has records that share it, so that batch's entry stands for it. */
  replaced: boolean;
}

/** One batch (or checkpoint) that has not left the window yet. */
class Waiting {
  readonly batchSeq: number;
  readonly count: number;
  readonly entries: Entry[];
  /** Kept only where a part of it may be asked for: its arrays are the plugin's whole message. */
  readonly batch: BatchInFlight | undefined;
  /** One byte a record; 1 = stored. */
  readonly stored: Uint8Array;
  pending: number;

  constructor(batchSeq: number, count: number, entries: Entry[], batch?: BatchInFlight) {
    this.batchSeq = batchSeq;
    this.count = count;
    this.entries = entries;
    this.batch = batch;
    this.stored = new Uint8Array(count);
    this.pending = count;
  }

  /** Batches count from 1. */
  get isCheckpoint(): boolean {
    return this.batchSeq === 0;
  }
}

export class InFlight {
  /** In stream order. Bounded by what the producer's buffer holds. */
  readonly #waiting: Waiting[] = [];
  readonly #byBatch = new Map<number, Waiting>();
  /** The newest entry of each source partition that a later record may still share. */
  readonly #open = new Map<string, Entry>();
  readonly #committable = new Map<string, string | null>();
  #ackedThrough = 0;
  #ackedCount = 0;
  #told = 0;

  /** A batch begins its way; call it before its records are handed to the producer. */
  add(batch: BatchInFlight, pollEnd: boolean): void {
    const offsets = sourceOffsetsOf(batch.columns, batch.definitions, batch.offsetMode);
    const entries = offsets.map((offset) => this.#enter(offset, batch.offsetMode === "last"));
    if (pollEnd) this.#endPoll();
    const kept = batch.offsetMode === "per-record" ? batch : undefined;
    const waiting = new Waiting(batch.batchSeq, batch.columns.count, entries, kept);
    this.#waiting.push(waiting);
    this.#byBatch.set(batch.batchSeq, waiting);
    this.#advance();
  }

  /** An offset without a record, at this place in the stream. */
  addCheckpoint(partition: string, offset: string | null): void {
    this.#open.delete(partition);
    // I5: checkpoints that follow each other are one, whose newest offset of a partition counts.
    const last = this.#waiting.at(-1);
    if (!last?.isCheckpoint) this.#waiting.push(new Waiting(0, 0, []));
    const { entries } = this.#waiting.at(-1) as Waiting;
    const before = entries.findIndex((entry) => entry.partition === partition);
    if (before >= 0) entries.splice(before, 1);
    entries.push({ partition, offset, stored: false, final: true, replaced: false });
    this.#advance();
  }

  /** Checkpoints that wait for records before them; the caller keeps their number small. */
  get waitingCheckpoints(): number {
    let count = 0;
    for (const { isCheckpoint, entries } of this.#waiting)
      if (isCheckpoint) count += entries.length;
    return count;
  }

  /** Records `indexes[from..to)` of the batch are stored. */
  stored(batchSeq: number, indexes: readonly number[], from: number, to: number): void {
    const waiting = this.#byBatch.get(batchSeq);
    if (waiting === undefined) throw new Error(`no batch ${batchSeq} is in flight`);
    for (let at = from; at < to; at += 1) {
      const index = indexes[at] as number;
      if (waiting.stored[index] === 1) throw new Error(`record ${index} has two outcomes`);
      waiting.stored[index] = 1;
    }
    waiting.pending -= to - from;
    if (waiting.pending === 0) this.#advance();
  }

  /** What the plugin has not been told yet; undefined when there is nothing new. */
  takeAcked(): AckedBatches | undefined {
    if (this.#ackedThrough === this.#told) return undefined;
    const acked = { through: this.#ackedThrough, count: this.#ackedCount };
    this.#told = this.#ackedThrough;
    this.#ackedCount = 0;
    return acked;
  }

  /**
   * I1: the offsets that may be committed now; they are handed out once (`giveBack` returns them).
   * With `partial`, also those of the stored beginning of the first unfinished batch.
   */
  takeCommittable(options: { partial?: boolean } = {}): SourceOffset[] {
    if (options.partial) this.#takePartial();
    const offsets = [...this.#committable].map(([partition, offset]) => ({ partition, offset }));
    this.#committable.clear();
    return offsets;
  }

  /** A commit failed: its offsets are committable again, unless newer ones are. */
  giveBack(offsets: readonly SourceOffset[]): void {
    for (const { partition, offset } of offsets) {
      if (!this.#committable.has(partition)) this.#committable.set(partition, offset);
    }
  }

  #enter(found: SourceOffsetEntry, final: boolean): Entry {
    const { partition, first, last } = found;
    const before = this.#open.get(partition);
    if (before !== undefined) {
      if (first === before.offset) before.replaced = true;
      else this.#finish(before);
    }
    const entry = { partition, offset: last, stored: false, final, replaced: false };
    if (final) this.#open.delete(partition);
    else this.#open.set(partition, entry);
    return entry;
  }

  #endPoll(): void {
    for (const entry of this.#open.values()) this.#finish(entry);
    this.#open.clear();
  }

  #finish(entry: Entry): void {
    entry.final = true;
    if (entry.stored) this.#allow(entry);
  }

  #allow(entry: Entry): void {
    if (!entry.replaced) this.#committable.set(entry.partition, entry.offset);
  }

  /** I1: a gap means a record without an outcome, so go only up to the first gap. */
  #advance(): void {
    for (;;) {
      const head = this.#waiting[0];
      if (head === undefined || head.pending > 0) return;
      this.#waiting.shift();
      if (!head.isCheckpoint) {
        this.#byBatch.delete(head.batchSeq);
        this.#ackedThrough = head.batchSeq;
        this.#ackedCount += head.count;
      }
      for (const entry of head.entries) {
        entry.stored = true;
        if (entry.final) this.#allow(entry);
      }
    }
  }

  #takePartial(): void {
    const head = this.#waiting[0];
    if (head?.batch === undefined) return;
    let length = head.stored.indexOf(0);
    if (length < 0) length = head.count;
    const { columns, definitions } = head.batch;
    for (const { partition, offset } of sourceOffsetsBefore(columns, definitions, length)) {
      this.#committable.set(partition, offset);
    }
  }
}
