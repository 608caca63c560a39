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

import type { Run, SourceOffset } from "../plugin/plugin.ts";
import type { Columns, Definitions } from "../record/columns.ts";
import {
  type SourceOffsetEntry,
  sourceOffsetsBefore,
  sourceOffsetsOf,
  sourceOffsetsThat,
} from "./source-offsets.ts";

/** What the plugin must be told: every record of the batches up to `through` has its outcome. */
export interface AckedBatches {
  readonly through: number;
  /** Of the records in the batches that are new since the last time. */
  readonly runs: readonly Run[];
}

/** Why the task went on without a record. */
export type FailedRun = Extract<Run, { outcome: "failed" }>;

const pending = 0;
const stored = 1;
/** A transform dropped it. Its offset is not committed by itself, as in Connect. */
const filtered = 2;
/** It failed before it was handed to the producer: as with `filtered`. */
const failed = 3;
/** The log did not take it: it counts for offsets, as in Connect. */
const refused = 4;

export interface BatchInFlight {
  readonly batchSeq: number;
  readonly columns: Columns;
  readonly definitions: Definitions;
  readonly offsetMode: "per-record" | "last";
}

export interface InFlightOptions {
  /** Also batches without offsets of their own are kept while they wait: failures are reported with them. */
  readonly keepBatches?: boolean;
}

interface Entry {
  readonly partition: string;
  /** Of the first record; `offset` is that of the last that counts. */
  readonly first: string | null;
  offset: string | null;
  /** No record of it counts. */
  isVoid: boolean;
  /** The one that this one replaced, while this one has no outcome. */
  before: Entry | undefined;
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
  /** One byte a record. */
  readonly outcomes: Uint8Array;
  pending: number;
  /** Records whose offsets do not count. */
  leftOut = 0;
  /** By the record's index; none where all went well. */
  failures: Map<number, FailedRun> | undefined;

  constructor(batchSeq: number, count: number, entries: Entry[], batch?: BatchInFlight) {
    this.batchSeq = batchSeq;
    this.count = count;
    this.entries = entries;
    this.batch = batch;
    this.outcomes = new Uint8Array(count);
    this.pending = count;
  }

  settle(index: number, outcome: number): void {
    if (this.outcomes[index] !== pending) throw new Error(`record ${index} has two outcomes`);
    this.outcomes[index] = outcome;
    this.pending -= 1;
  }

  counts(index: number): boolean {
    const outcome = this.outcomes[index];
    return outcome === stored || outcome === refused;
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
  #acked: Run[] = [];
  #told = 0;
  readonly #keepBatches: boolean;

  constructor(options: InFlightOptions = {}) {
    this.#keepBatches = options.keepBatches ?? false;
  }

  /** A batch begins its way; call it before its records are handed to the producer. */
  add(batch: BatchInFlight, pollEnd: boolean): void {
    const offsets = sourceOffsetsOf(batch.columns, batch.definitions, batch.offsetMode);
    const entries = offsets.map((offset) => this.#enter(offset, batch.offsetMode === "last"));
    if (pollEnd) this.#endPoll();
    const isKept = this.#keepBatches || batch.offsetMode === "per-record";
    const kept = isKept ? batch : undefined;
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
    entries.push(newEntry(partition, offset, offset, true));
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
    const waiting = this.#find(batchSeq);
    for (let at = from; at < to; at += 1) waiting.settle(indexes[at] as number, stored);
    if (waiting.pending === 0) this.#advance();
  }

  /** A transform dropped the record. */
  filtered(batchSeq: number, index: number): void {
    const waiting = this.#find(batchSeq);
    waiting.settle(index, filtered);
    waiting.leftOut += 1;
    if (waiting.pending === 0) this.#advance();
  }

  /** The task goes on without the record; `isRefused`: the log did not take it. */
  failed(batchSeq: number, index: number, run: FailedRun, isRefused: boolean): void {
    const waiting = this.#find(batchSeq);
    waiting.settle(index, isRefused ? refused : failed);
    if (!isRefused) waiting.leftOut += 1;
    waiting.failures ??= new Map();
    waiting.failures.set(index, run);
    if (waiting.pending === 0) this.#advance();
  }

  /** The batch, while it has records without an outcome. */
  batch(batchSeq: number): BatchInFlight | undefined {
    return this.#byBatch.get(batchSeq)?.batch;
  }

  #find(batchSeq: number): Waiting {
    const waiting = this.#byBatch.get(batchSeq);
    if (waiting === undefined) throw new Error(`no batch ${batchSeq} is in flight`);
    return waiting;
  }

  /** What the plugin has not been told yet; undefined when there is nothing new. */
  takeAcked(): AckedBatches | undefined {
    if (this.#ackedThrough === this.#told) return undefined;
    const acked = { through: this.#ackedThrough, runs: this.#acked };
    this.#told = this.#ackedThrough;
    this.#acked = [];
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
    const entry = newEntry(partition, first, last, final);
    if (before !== undefined) {
      if (first === before.offset) {
        before.replaced = true;
        entry.before = before;
      } else this.#finish(before);
    }
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
    if (entry.replaced || entry.isVoid) return;
    this.#committable.set(entry.partition, entry.offset);
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
        addRuns(this.#acked, head);
      }
      if (head.leftOut > 0) this.#narrow(head);
      for (const entry of head.entries) {
        entry.stored = true;
        entry.before = undefined;
        if (entry.final) this.#allow(entry);
      }
    }
  }

  /**
   * Records that were left out move no offset: what is committed is the offset of the last one that was
   * not. Where only the batch has offsets, one record that counts is enough for all of them.
   */
  #narrow(head: Waiting): void {
    const counts = (index: number) => head.counts(index);
    const isVoid = head.leftOut === head.count;
    if (head.batch?.offsetMode !== "per-record") {
      for (const entry of head.entries) entry.isVoid = isVoid;
      return;
    }
    const { columns, definitions } = head.batch;
    const found = isVoid
      ? new Map<string, string | null>()
      : sourceOffsetsThat(columns, definitions, counts);
    for (const entry of head.entries) this.#narrowEntry(entry, found);
  }

  #narrowEntry(entry: Entry, found: ReadonlyMap<string, string | null>): void {
    const { partition, before } = entry;
    const last = entry.offset;
    if (found.has(partition)) entry.offset = found.get(partition) ?? null;
    else if (before?.replaced === true && !before.isVoid) entry.offset = before.offset;
    else entry.isVoid = true;
    if (entry.isVoid || entry.offset === last) return;
    // A record with another offset has followed, though it was left out.
    entry.final = true;
    entry.replaced = false;
    if (this.#open.get(partition) === entry) this.#open.delete(partition);
  }

  #takePartial(): void {
    const head = this.#waiting[0];
    if (head?.batch?.offsetMode !== "per-record") return;
    let length = head.outcomes.indexOf(pending);
    if (length < 0) length = head.count;
    const { columns, definitions } = head.batch;
    const counts = (index: number) => head.counts(index);
    for (const { partition, offset } of sourceOffsetsBefore(columns, definitions, length, counts)) {
      this.#committable.set(partition, offset);
    }
  }
}

function newEntry(
  partition: string,
  first: string | null,
  offset: string | null,
  final: boolean,
): Entry {
  return {
    ...{ partition, first, offset, final },
    ...{ isVoid: false, before: undefined, stored: false, replaced: false },
  };
}

/** I7: the outcomes of a whole batch. */
function addRuns(runs: Run[], { count, outcomes, failures, leftOut }: Waiting): void {
  if (leftOut === 0 && failures === undefined) {
    addRun(runs, "stored", count);
    return;
  }
  for (let index = 0; index < count; index += 1) {
    const failure = failures?.get(index);
    if (failure !== undefined) runs.push(failure);
    else addRun(runs, outcomes[index] === filtered ? "filtered" : "stored", 1);
  }
}

function addRun(runs: Run[], outcome: "stored" | "filtered", count: number): void {
  if (count === 0) return;
  const last = runs.at(-1);
  if (last?.outcome === outcome) last.count += count;
  else runs.push({ count, outcome });
}
