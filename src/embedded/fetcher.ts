/** Positions in partitions, and reading on from them without ever asking twice for nothing. */
import { Wake } from "../base/wake.ts";
import type { Fetched, PartitionOffset, TopicPartition } from "../kafka/kafka.ts";
import type { Logger } from "../observe/logger.ts";
import { positionAt, type ReadPosition } from "./log-run.ts";
import type { PartitionLog } from "./partition-log.ts";
import type { TopicCatalog } from "./topic-catalog.ts";

/** I5: what one poll may hold in memory. */
const partitionBytesMax = 1024 * 1024;
const partitionsAtOnceMax = 4;

interface Place {
  readonly topic: string;
  readonly partition: number;
  position: ReadPosition;
  isPaused: boolean;
  /** Undefined while there is no such topic. */
  log: PartitionLog | undefined;
  unwatch: () => void;
}

export interface FetcherOptions {
  catalog: TopicCatalog;
  logger: Logger;
  /** Where to go on when the log no longer (or not yet) has the offset. */
  autoOffsetReset: "earliest" | "latest";
}

export class Fetcher {
  readonly wake = new Wake();
  readonly #options: FetcherOptions;
  readonly #places = new Map<string, Place>();
  readonly #unwatchTopics: () => void;
  /** The order of reading: whoever was read goes to the end. */
  #order: Place[] = [];

  constructor(options: FetcherOptions) {
    this.#options = options;
    this.#unwatchTopics = options.catalog.watch(this.wake.nudge);
  }

  /** Replaces what is read. */
  assign(partitions: readonly PartitionOffset[]): void {
    for (const place of this.#order) place.unwatch();
    this.#places.clear();
    this.#order = partitions.map(({ topic, partition, offset }) => {
      const place: Place = {
        topic,
        partition,
        position: positionAt(offset),
        isPaused: false,
        log: undefined,
        unwatch: () => {},
      };
      this.#places.set(placeKey(place), place);
      return place;
    });
    this.wake.nudge();
  }

  /** False when the partition is not assigned. */
  seek(partition: TopicPartition, offset: number): boolean {
    const place = this.#places.get(placeKey(partition));
    if (place !== undefined) place.position = positionAt(offset);
    this.wake.nudge();
    return place !== undefined;
  }

  /** Partitions that are not assigned are left out of it. */
  setPaused(partitions: readonly TopicPartition[], isPaused: boolean): void {
    for (const partition of partitions) {
      const place = this.#places.get(placeKey(partition));
      if (place !== undefined) place.isPaused = isPaused;
    }
    this.wake.nudge();
  }

  /** What is there now, at most a megabyte (or one batch) of each of four partitions. */
  async fetch(): Promise<Fetched[]> {
    const ready: Place[] = [];
    for (const place of this.#order) {
      if (ready.length < partitionsAtOnceMax && this.#isReady(place)) ready.push(place);
    }
    if (ready.length === 0) return [];
    if (this.#order.length > partitionsAtOnceMax) {
      this.#order = [...this.#order.filter((place) => !ready.includes(place)), ...ready];
    }
    const fetched = await Promise.all(ready.map((place) => this.#read(place)));
    return fetched.filter((each) => each !== undefined);
  }

  close(): void {
    this.assign([]);
    this.#unwatchTopics();
  }

  #isReady(place: Place): boolean {
    if (place.isPaused) return false;
    const log = this.#logOf(place);
    if (log === undefined) return false;
    const { offset } = place.position;
    if (offset < log.startOffset || offset > log.endOffset) this.#reset(place, log);
    return place.position.offset < log.endOffset;
  }

  #logOf(place: Place): PartitionLog | undefined {
    if (place.log?.isOpen) return place.log;
    const log = this.#options.catalog.partition(place.topic, place.partition);
    if (log === place.log) return undefined;
    place.unwatch();
    place.log = log;
    place.unwatch = log?.watch(this.wake.nudge) ?? (() => {});
    // A hint into the files of a deleted topic means nothing in its successor.
    place.position = positionAt(place.position.offset);
    return log;
  }

  #reset(place: Place, log: PartitionLog): void {
    const { autoOffsetReset, logger } = this.#options;
    const offset = autoOffsetReset === "earliest" ? log.startOffset : log.endOffset;
    logger.warn(
      { topic: place.topic, partition: place.partition, from: place.position.offset, to: offset },
      `${place.topic}-${place.partition} has no offset ${place.position.offset}: ` +
        `reading goes on at ${offset} (${autoOffsetReset})`,
    );
    place.position = positionAt(offset);
  }

  async #read(place: Place): Promise<Fetched | undefined> {
    const { position, log, topic, partition } = place;
    const run = await log!.read(position, partitionBytesMax);
    // Meanwhile somebody may have sought or assigned anew; what was read then is nobody's.
    const isStale = place.position !== position || this.#places.get(placeKey(place)) !== place;
    if (run === undefined || isStale || place.isPaused) {
      if (run !== undefined && !isStale) place.position = positionAt(run.firstOffset);
      return undefined;
    }
    return { topic, partition, ...run };
  }
}

/** One string for a partition; a topic's name has no slash. */
export function placeKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
