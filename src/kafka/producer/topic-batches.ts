/** What a producer has for one topic: its partitions, where keyless records go, and who waits for it. */

import type { Backoff } from "../../base/backoff.ts";
import { RetriableError } from "../../base/error.ts";
import type { ClusterMap, TopicPlaces } from "../calls.ts";
import { PartitionBatches } from "./partition-batches.ts";
import { StagedRecords } from "./staged-records.ts";

/** A partition that knows its topic. */
export type TopicPartitionBatches = PartitionBatches<TopicBatches>;

export class TopicBatches {
  readonly name: string;
  /** As last told; undefined before the first answer and while the topic does not exist. */
  places: TopicPlaces | undefined;
  /** The places were wrong; nothing goes out before they were told anew. */
  isMapOld = false;
  /** Not before, when the last answer did not help. */
  askAtMs = 0;
  /** Of questions in a row that did not lead to a stored record; undefined before the first. */
  backoff: Backoff | undefined;
  /** Why the last question had no answer. */
  lastError: Error | undefined;
  /** Whether it ever existed for this producer. */
  wasKnown = false;
  /** Batches that a broker took; smaller than `batch.size` after it refused one as too large. */
  batchBytesMax: number;
  /** Records whose partition cannot be chosen yet. */
  readonly staged: StagedRecords;
  /** Since when they wait. */
  stagedSinceMs = 0;
  readonly #partitions: (TopicPartitionBatches | undefined)[] = [];
  readonly #random: () => number;
  #sticky = -1;
  #stickyBytes = 0;

  /** `broken`: as of `StagedRecords`. */
  constructor(
    name: string,
    batchBytesMax: number,
    random: () => number,
    broken: (error: unknown) => Error,
  ) {
    this.name = name;
    this.staged = new StagedRecords(broken);
    this.batchBytesMax = batchBytesMax;
    this.#random = random;
  }

  partition(index: number): TopicPartitionBatches {
    let found = this.#partitions[index];
    if (found === undefined) {
      found = new PartitionBatches<TopicBatches>(this, index);
      this.#partitions[index] = found;
    }
    return found;
  }

  /** Those that were ever written to. */
  *partitions(): Iterable<TopicPartitionBatches> {
    for (const each of this.#partitions) if (each !== undefined) yield each;
  }

  /** Takes over what the map says; false while the topic is unknown. */
  look(map: ClusterMap): boolean {
    const places = map.topic(this.name);
    if (places === this.places) return places !== undefined;
    this.places = places;
    if (places === undefined) return false;
    this.wasKnown = true;
    if (this.#sticky >= places.leaders.length) this.#sticky = -1;
    return true;
  }

  /** Asking again is of no use: nobody may ask, say. */
  get cannotAsk(): Error | undefined {
    const { lastError } = this;
    return lastError instanceof RetriableError ? undefined : lastError;
  }

  /** A record was stored: the next question needs no patience. */
  proved(): void {
    this.askAtMs = 0;
    this.backoff = undefined;
    this.lastError = undefined;
  }

  /**
   * Where the next record without a key goes: one partition until a batch's worth of bytes went there
   * (KIP-794), then another that has a leader, so that batches get full and the load is even.
   */
  stickyPartition(places: TopicPlaces, sizeBytes: number): number {
    if (this.#sticky === -1 || this.#stickyBytes >= this.batchBytesMax) {
      this.#sticky = this.#otherThan(this.#sticky, places.leaders);
      this.#stickyBytes = 0;
    }
    this.#stickyBytes += sizeBytes;
    return this.#sticky;
  }

  #otherThan(last: number, leaders: readonly number[]): number {
    const count = leaders.length;
    const start = Math.floor(this.#random() * count);
    let withoutLeader = start;
    for (let n = 0; n < count; n += 1) {
      const at = (start + n) % count;
      if (at === last && count > 1) continue;
      if (leaders[at] !== -1) return at;
      withoutLeader = at;
    }
    // Nobody leads: any place to wait is as good. The last one is fine when only it has a leader.
    return last !== -1 && leaders[last] !== -1 ? last : withoutLeader;
  }
}
