/**
 * Which records may have killed their plugin: the records of the puts that had no answer when its
 * process died. They are put again in ever smaller parts, one part at a time, until a record that is
 * alone in its put has killed it often enough to be named. No I/O and no clock.
 *
 * A part is about the root of what the last crash left, since a put costs next to nothing and a crash
 * a new process: 10,000 records need two crashes before each record is put alone, where halves need fourteen.
 */
import type { TopicPartition } from "../kafka/kafka.ts";
import type { RecordPlace } from "./dead-letter.ts";

/** Records of one partition that were in an unanswered put. */
export interface SuspectRange {
  readonly topic: string;
  readonly partition: number;
  /** Offsets of the first and the last, and how many there are. */
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

/** What a crash has told. */
export type CrashVerdict =
  /** No put was unanswered. */
  | { readonly at: "unknown" }
  | { readonly at: "narrowed" }
  | {
      readonly at: "found";
      readonly record: RecordPlace;
      readonly crashes: number;
      /** Puts were taken since the last record that was found: it is not that every put kills. */
      readonly isProgress: boolean;
    };

/** The records of a partition under suspicion. */
export interface Suspicion {
  readonly first: number;
  readonly last: number;
  /** In one put. */
  readonly recordsMax: number;
  /** How often it has killed in a row, alone; 0 for more than one record. */
  readonly crashes: number;
}

/** I5: what is remembered of a connector; the oldest goes first. */
export const suspectPartitionsMax = 10_000;
export const recordsLeftOutMax = 1_000;
/** No parts of parts below: each record by itself. */
const partRecordsMin = 32;

export class PartitionSuspects {
  suspicion: Suspicion | undefined;
  readonly leftOut = new Set<number>();

  /** The first offset from this one on that is not like any other; infinite where there is none. */
  next(offset: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const one of this.leftOut) if (one >= offset && one < next) next = one;
    const { suspicion } = this;
    if (suspicion === undefined || suspicion.last < offset) return next;
    return Math.min(next, Math.max(offset, suspicion.first));
  }

  /** What is thought of the record; undefined: nothing. */
  at(offset: number): "left-out" | Suspicion | undefined {
    if (this.leftOut.has(offset)) return "left-out";
    const { suspicion } = this;
    const isIn = suspicion !== undefined && offset >= suspicion.first && offset <= suspicion.last;
    return isIn ? suspicion : undefined;
  }

  /** The plugin took every record before this offset. */
  passed(offset: number): void {
    const { suspicion } = this;
    if (suspicion === undefined || offset <= suspicion.first) return;
    this.suspicion =
      offset > suspicion.last ? undefined : { ...suspicion, first: offset, crashes: 0 };
  }
}

/** One per connector, since its partitions move between its tasks. */
export class CrashSuspects {
  /** So many crashes in a row, alone in its put, and a record is named; at least 1. */
  readonly crashesMax: number;
  readonly #partitions = new Map<string, PartitionSuspects>();
  /** In the order in which they were found. */
  #leftOut: RecordPlace[] = [];
  #isProgress = true;

  constructor(crashesMax: number) {
    this.crashesMax = crashesMax;
  }

  /** Undefined: nothing is suspected there. */
  partition(of: TopicPartition): PartitionSuspects | undefined {
    return this.#partitions.get(keyOf(of));
  }

  /** The plugin answered for everything before this offset, read since its last start. */
  passed(offset: RecordPlace): void {
    this.#isProgress = true;
    if (this.#partitions.size === 0) return;
    this.partition(offset)?.passed(offset.offset);
    this.#tidy(offset);
  }

  /**
   * The process died; these records were in puts without an answer. `isAlone`: those of no other task
   * were.
   */
  died(ranges: readonly SuspectRange[], isAlone = true): CrashVerdict {
    const count = ranges.reduce((sum, range) => sum + range.count, 0);
    const [only] = ranges;
    if (only === undefined || count === 0) return { at: "unknown" };
    if (count === 1 && isAlone) return this.#diedAlone(only);
    for (const range of merged(ranges)) {
      const recordsMax = count <= partRecordsMin ? 1 : Math.ceil(Math.sqrt(count));
      this.#at(range).suspicion = { first: range.first, last: range.last, recordsMax, crashes: 0 };
    }
    return { at: "narrowed" };
  }

  /** The record is never put again. */
  leaveOut(record: RecordPlace): void {
    const partition = this.#at(record);
    partition.suspicion = undefined;
    partition.leftOut.add(record.offset);
    this.#leftOut.push(record);
    this.#isProgress = false;
    if (this.#leftOut.length <= recordsLeftOutMax) return;
    const oldest = this.#leftOut.shift() as RecordPlace;
    this.partition(oldest)?.leftOut.delete(oldest.offset);
    this.#tidy(oldest);
  }

  /** The log of the partition is another one. */
  forget(of: TopicPartition): void {
    this.#partitions.delete(keyOf(of));
    this.#leftOut = this.#leftOut.filter((one) => keyOf(one) !== keyOf(of));
  }

  #diedAlone({ topic, partition, first }: SuspectRange): CrashVerdict {
    const place = this.#at({ topic, partition });
    const before = place.suspicion;
    const isSame = before?.first === first && before.last === first;
    const crashes = Math.min(this.crashesMax, (isSame ? before.crashes : 0) + 1);
    // Where the task ends for good, somebody who starts it again has the record tried once more.
    place.suspicion = { first, last: first, recordsMax: 1, crashes };
    if (crashes < this.crashesMax) return { at: "narrowed" };
    const record = { topic, partition, offset: first };
    return { at: "found", record, crashes, isProgress: this.#isProgress };
  }

  #at(of: TopicPartition): PartitionSuspects {
    const key = keyOf(of);
    const known = this.#partitions.get(key);
    if (known !== undefined) return known;
    const made = new PartitionSuspects();
    this.#partitions.set(key, made);
    const [oldest] = this.#partitions.keys();
    if (this.#partitions.size > suspectPartitionsMax && oldest !== undefined) {
      this.#partitions.delete(oldest);
    }
    return made;
  }

  #tidy(of: TopicPartition): void {
    const known = this.partition(of);
    if (known === undefined || known.suspicion !== undefined || known.leftOut.size > 0) return;
    this.#partitions.delete(keyOf(of));
  }
}

/** One range for each partition. */
function merged(ranges: readonly SuspectRange[]): SuspectRange[] {
  const byPartition = new Map<string, SuspectRange>();
  for (const range of ranges) {
    const known = byPartition.get(keyOf(range));
    const first = Math.min(range.first, known?.first ?? range.first);
    const last = Math.max(range.last, known?.last ?? range.last);
    const count = range.count + (known?.count ?? 0);
    byPartition.set(keyOf(range), { ...range, first, last, count });
  }
  return [...byPartition.values()];
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
