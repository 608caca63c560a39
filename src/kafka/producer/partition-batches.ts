/**
 * What a producer has for one partition: sealed batches in the order of their records, the first of
 * them tried or in flight, and one that still grows. Who sends what when is the sender's business.
 */
import type { ProduceBatch, ProducerIdentity } from "./produce-batch.ts";

/** Sequences count to 2^31 - 1 and go on with 0. */
const sequenceCount = 2 ** 31;

/**
 * A broker knows the last five batches of a producer in a partition. One without an answer must not
 * become the sixth, or a repeat of it would not be recognised.
 */
const numberedAheadMax = 5;

/** What a partition has to know of its topic. */
export interface PartitionHome {
  readonly name: string;
}

export class PartitionBatches<Home extends PartitionHome = PartitionHome> {
  readonly home: Home;
  readonly partition: number;
  open: ProduceBatch | undefined;
  /** Without an outcome, in order. */
  readonly sealed: ProduceBatch[] = [];
  inFlightCount = 0;
  /** A try failed: nothing is sent until all that is in flight has been answered, then in order. */
  isRecovering = false;
  /** Not before, after a failure. */
  retryAtMs = 0;
  failuresInRow = 0;
  lastError: Error | undefined;
  /** Since when the cluster does not know the partition; undefined while it does. */
  homelessSinceMs: number | undefined;
  #identity: ProducerIdentity | undefined;
  /** Something was stored under it. */
  #isKnownThere = false;
  #nextSequence = 0;
  #nextOrdinal = 0;

  constructor(home: Home, partition: number) {
    this.home = home;
    this.partition = partition;
  }

  get isEmpty(): boolean {
    return this.open === undefined && this.sealed.length === 0;
  }

  seal(): void {
    if (this.open === undefined) return;
    this.sealed.push(this.open);
    this.open = undefined;
  }

  /** The first that is not in flight; with idempotence only as far as repeats stay recognisable. */
  next(isIdempotent: boolean): ProduceBatch | undefined {
    if (this.isRecovering && this.inFlightCount > 0) return undefined;
    for (const [n, batch] of this.sealed.entries()) {
      if (batch.isInFlight || batch.outcome !== undefined) continue;
      if (!isIdempotent || n === 0) return batch;
      // A broker takes any sequence from a producer it does not know: the first goes alone.
      if (!this.#isKnownThere) return undefined;
      if (batch.place !== undefined) return batch;
      const first = this.sealed[0]!;
      return this.#nextOrdinal - first.ordinal < numberedAheadMax ? batch : undefined;
    }
    return undefined;
  }

  /** Gives a batch that was never sent its place in the sequence. */
  number(batch: ProduceBatch, current: ProducerIdentity): void {
    if (batch.place !== undefined) return;
    if (this.#identity !== current && !this.#isNumbered) {
      this.#identity = current;
      this.#isKnownThere = false;
      this.#nextSequence = 0;
    }
    const { id, epoch } = this.#identity ?? current;
    batch.place = { id, epoch, baseSequence: this.#nextSequence };
    batch.ordinal = this.#nextOrdinal;
    this.#nextSequence = (this.#nextSequence + batch.recordCount) % sequenceCount;
    this.#nextOrdinal += 1;
  }

  /**
   * Whether the broker has said of the first batch that it is not stored and cannot be where it is,
   * and nothing behind it can be stored either: only then may places be given anew.
   */
  get needsNewPlaces(): boolean {
    const first = this.sealed[0];
    if (first === undefined || !first.isRefused || this.inFlightCount > 0) return false;
    return !this.sealed.some(({ mayBeStored }) => mayBeStored);
  }

  /** The identity under which the numbered batches were numbered. */
  get identity(): ProducerIdentity | undefined {
    return this.#identity;
  }

  forgetPlaces(): void {
    this.#identity = undefined;
    for (const batch of this.sealed) {
      if (batch.outcome !== undefined) continue;
      batch.place = undefined;
      batch.bytes = undefined;
      batch.isRefused = false;
    }
  }

  /** A batch was stored. */
  proved(): void {
    this.failuresInRow = 0;
    this.retryAtMs = 0;
    this.lastError = undefined;
    this.#isKnownThere = true;
  }

  /** Whether something that was numbered has no answer. */
  get #isNumbered(): boolean {
    return this.sealed.some(({ place, outcome }) => place !== undefined && outcome === undefined);
  }

  /** `second` was split off `first`: it follows it and has the rest of its sequence numbers. */
  addHalf(first: ProduceBatch, second: ProduceBatch): void {
    const n = this.sealed.indexOf(first);
    this.sealed.splice(n + 1, 0, second);
    const { place } = first;
    if (place === undefined) return;
    const baseSequence = (place.baseSequence + first.recordCount) % sequenceCount;
    second.place = { ...place, baseSequence };
    second.ordinal = first.ordinal + 1;
    for (const later of this.sealed.slice(n + 2)) if (later.place !== undefined) later.ordinal += 1;
    this.#nextOrdinal += 1;
  }

  /** Whether everything sealed is in flight or done: only then may the open batch go. */
  get isAllSent(): boolean {
    return this.sealed.every(({ isInFlight, outcome }) => isInFlight || outcome !== undefined);
  }

  /** Takes out the first batch once it has an outcome; those behind it wait for it. */
  takeEnded(): ProduceBatch | undefined {
    return this.sealed[0]?.outcome === undefined ? undefined : this.sealed.shift();
  }
}
