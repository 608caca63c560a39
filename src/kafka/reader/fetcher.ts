/**
 * Positions in partitions, and reading on from them ahead of whoever polls. One for each reader and for
 * each member of a group; it has connections of its own.
 */
import type { Clock } from "../../base/clock.ts";
import { RetriableError, TaskError } from "../../base/error.ts";
import { Scope } from "../../base/scope.ts";
import { Wake } from "../../base/wake.ts";
import { batchSize } from "../../batch/batch-header.ts";
import type { Logger } from "../../observe/logger.ts";
import { brokerCode, brokerCodeName, brokerError } from "../broker-error.ts";
import type { Connections, Transport } from "../calls.ts";
import type { ClientConfig, Fetched, PartitionOffset, TopicPartition } from "../kafka.ts";
import type { FetchedPartition } from "../protocol/fetch.ts";
import { offsetOf } from "../protocol/list-offsets.ts";
import { AnswerMemory } from "./answer-memory.ts";
import { FetchPlace, placeKey } from "./fetch-place.ts";
import { type FetchAnswer, FetchSender } from "./fetch-sender.ts";
import { fetchSettings, type OffsetReset } from "./fetch-settings.ts";
import { FetchedChunk, type HeldAnswer, moved } from "./fetched-chunk.ts";
import { lookUpOffsets } from "./offset-lookup.ts";

/** One call of `fetch` hands out about so much. */
const handOutBytesGoal = 4 * 1024 * 1024;

export interface FetcherOptions {
  readonly transport: Transport;
  readonly clientId: string;
  /** Java's consumer keys: `fetch.*`, `max.partition.fetch.bytes`, `retry.backoff.*` and those of the connection. */
  readonly config?: ClientConfig;
  readonly readCommitted: boolean;
  /** Where to go on when the log does not have the offset; "none" fails the poll instead. */
  readonly autoOffsetReset: OffsetReset;
  readonly logger: Logger;
  readonly clock?: Clock;
}

/**
 * What may pass (a broker that is down, a leader that moves, a topic that is not there yet) is tried
 * again in here for ever, with backoff and a line in the log that grows louder.
 */
export class Fetcher {
  /** Nudged when there may be something to fetch; whoever polls may nudge it for reasons of its own. */
  readonly wake = new Wake();
  readonly #options: FetcherOptions;
  readonly #scope = new Scope();
  readonly #connections: Connections;
  readonly #sender: FetchSender;
  /** In the order in which brokers should serve them: whoever was served goes to the end. */
  readonly #places = new Map<string, FetchPlace>();
  /** Places with data, each once; paused ones come back when they are resumed. */
  #ready = new Set<FetchPlace>();
  readonly #memory = new AnswerMemory();
  /** Of what was handed out; whoever polled may still read the last of it. */
  readonly #handedOut: Uint8Array[] = [];
  #failure: Failure | undefined;

  /** @throws ConfigError for a config value that cannot be used */
  constructor(options: FetcherOptions) {
    this.#options = options;
    const { transport, clientId, config, readCommitted, logger, clock } = options;
    const settings = fetchSettings(config);
    this.#connections = transport.connections({ clientId, ...(config && { config }) });
    this.#scope.defer(() => this.#connections.close());
    this.#sender = new FetchSender({
      transport,
      connections: this.#connections,
      settings,
      readCommitted,
      scope: this.#scope,
      logger,
      ...(clock && { clock }),
      memory: this.#memory,
      places: () => this.#places.values(),
      onAnswer: (answer) => this.#land(answer),
      onFailure: (error) => this.#fail(error),
    });
    this.#newPlace = (each) => new FetchPlace(each, settings);
  }

  readonly #newPlace: (from: PartitionOffset) => FetchPlace;

  /** Replaces what is read. */
  assign(partitions: readonly PartitionOffset[]): void {
    this.remove([...this.#places.values()]);
    this.#failure = undefined;
    this.add(partitions);
  }

  /** Reads these too; one that is read already goes on from the offset given. */
  add(partitions: readonly PartitionOffset[]): void {
    for (const each of partitions) {
      const key = placeKey(each);
      const known = this.#places.get(key);
      if (known === undefined) this.#places.set(key, this.#newPlace(each));
      else known.moveTo(each.offset);
    }
    this.#changed();
  }

  /** Reads these no longer. */
  remove(partitions: readonly TopicPartition[]): void {
    for (const each of partitions) {
      const key = placeKey(each);
      const place = this.#places.get(key);
      if (place === undefined) continue;
      place.moveTo(place.position);
      this.#ready.delete(place);
      this.#places.delete(key);
    }
    this.#changed();
  }

  /** False when the partition is not assigned. */
  seek(partition: TopicPartition, offset: number): boolean {
    const place = this.#places.get(placeKey(partition));
    if (place === undefined) return false;
    place.moveTo(offset);
    this.#ready.delete(place);
    this.#changed();
    return true;
  }

  /** Partitions that are not assigned are left out of it. What is here of a paused one waits. */
  setPaused(partitions: readonly TopicPartition[], isPaused: boolean): void {
    let isChanged = false;
    for (const each of partitions) {
      const place = this.#places.get(placeKey(each));
      if (place === undefined || place.isPaused === isPaused) continue;
      place.isPaused = isPaused;
      isChanged = true;
      if (isPaused) this.#ready.delete(place);
      else if (place.hasData) this.#ready.add(place);
    }
    if (isChanged) this.#changed();
  }

  /** The next offset that will be handed out; undefined when the partition is not assigned. */
  position(partition: TopicPartition): number | undefined {
    return this.#places.get(placeKey(partition))?.position;
  }

  /**
   * What is here now, about 4 MiB of it at most; does not wait for more. One call at a time, and each
   * ends what the one before has handed out.
   * @throws TaskError for what only a person can change; the next call tries again
   */
  async fetch(): Promise<Fetched[]> {
    for (const memory of this.#handedOut.splice(0)) this.#memory.giveBack(memory);
    const taken: { place: FetchPlace; version: number; piece: Fetched }[] = [];
    let bytes = 0;
    if (this.#failure?.place?.version !== this.#failure?.version) this.#failure = undefined;
    for (const place of this.#ready) {
      if (bytes >= handOutBytesGoal || this.#failure !== undefined) break;
      this.#ready.delete(place);
      const { version } = place;
      await this.#open(place);
      if (place.version !== version || place.isPaused) continue;
      const opened = place.take();
      if (opened === undefined) continue;
      const { piece, memory } = opened;
      if (memory !== undefined) this.#handedOut.push(memory);
      bytes += piece.batches.length;
      taken.push({ place, version, piece });
      // To the end of the line.
      if (place.hasData) this.#ready.add(place);
    }
    const isCurrent = ({ place, version }: (typeof taken)[number]) => place.version === version;
    const fetched = taken.filter(isCurrent).map(({ piece }) => piece);
    if (fetched.length > 0) {
      this.#sender.nudge();
      return fetched;
    }
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure.error;
    return [];
  }

  /** As `PartitionReader.poll`. */
  async poll(timeoutMs: number, signal?: AbortSignal): Promise<Fetched[]> {
    const deadlineMs = performance.now() + timeoutMs;
    while (!this.#scope.signal.aborted && !signal?.aborted) {
      const fetched = await this.fetch();
      const leftMs = deadlineMs - performance.now();
      if (fetched.length > 0 || leftMs <= 0) return fetched;
      await this.wake.wait(leftMs, signal);
    }
    return [];
  }

  /** Ends a running poll with nothing. */
  async close(): Promise<void> {
    this.assign([]);
    const closing = this.#scope.close();
    this.wake.nudge();
    await closing;
  }

  #changed(): void {
    this.#sender.nudge();
    this.wake.nudge();
  }

  async #open(place: FetchPlace): Promise<void> {
    try {
      await place.open((bytes) => this.#memory.take(bytes));
    } catch (error) {
      // It is asked for again, should somebody poll on.
      place.drop();
      place.failed(this.#nowMs());
      this.#sender.nudge();
      this.#fail(error, place);
    }
  }

  /** Whoever polls learns it, unless the place was sought or given up meanwhile. */
  #fail(error: unknown, place?: FetchPlace): void {
    this.#failure ??= { error, place, version: place?.version };
    this.wake.nudge();
  }

  #land({ node, response, asked, memory, hold }: FetchAnswer): void {
    let heldBytes = memory?.length ?? 0;
    for (const { records } of response.partitions) heldBytes += memory ? 0 : records.length;
    const held: HeldAnswer = {
      chunks: 0,
      release: () => {
        hold(-heldBytes);
        if (memory !== undefined) this.#handedOut.push(memory);
      },
    };
    const fetched = new Map(response.partitions.map((each) => [placeKey(each), each]));
    let partial: FetchPlace | undefined;
    for (const { place, version, offset } of asked) {
      const each = fetched.get(placeKey(place));
      const isStale = place.version !== version || place.fetchOffset !== offset;
      if (each === undefined || isStale) continue;
      if (each.errorCode !== 0) {
        this.#refused(place, each.errorCode, node);
        continue;
      }
      place.succeeded();
      if (each.records.length === 0) continue;
      const chunk = new FetchedChunk(each, offset, held, this.#connections.addressOf(node));
      if (chunk.hasBatches) this.#add(place, chunk);
      else partial ??= place;
    }
    if (held.chunks > 0) {
      hold(heldBytes);
      return;
    }
    // The first batch comes whole, however large it is.
    if (partial && !response.partitions.some(beginsWhole)) this.#malformed(partial, node);
    if (memory !== undefined) this.#memory.giveBack(memory);
  }

  #add(place: FetchPlace, chunk: FetchedChunk): void {
    place.add(chunk);
    const key = placeKey(place);
    this.#places.delete(key);
    this.#places.set(key, place);
    if (place.isPaused) return;
    this.#ready.add(place);
    this.wake.nudge();
  }

  #malformed(place: FetchPlace, node: number): void {
    place.failed(this.#nowMs());
    const text =
      `cannot read ${name(place)} from offset ${place.fetchOffset} on: what the broker at ` +
      `${this.#connections.addressOf(node)} answered is no record batch of format 2`;
    this.#fail(new TaskError("batch.corrupt", text), place);
  }

  /** What a broker says about one partition. */
  #refused(place: FetchPlace, code: number, node: number): void {
    const address = this.#connections.addressOf(node);
    const doing = `read ${name(place)} from offset ${place.fetchOffset} on at ${address}`;
    const error = brokerError(code, doing);
    place.failed(this.#nowMs());
    if (code === brokerCode.offsetOutOfRange) {
      // What is here comes first; it is asked again afterwards.
      if (!place.hasData) this.#outOfRange(place, doing);
      return;
    }
    // A damaged log does not heal, and nobody may pass over it unseen.
    if (code === brokerCode.corruptMessage) {
      this.#fail(new TaskError("batch.corrupt", error.message), place);
      return;
    }
    if (!(error instanceof RetriableError) && code !== brokerCode.unknown) {
      this.#fail(error, place);
      return;
    }
    this.#sender.leaderIsWrong(place);
    const told = place.trouble.failed(this.#nowMs());
    if (told === undefined) return;
    const { topic, partition } = place;
    const { level, lastedMs } = told;
    this.#options.logger[level](
      { topic, partition, broker: address, lastedMs, err: error },
      `cannot read ${name(place)}, trying again: ${brokerCodeName(code)}`,
    );
  }

  #outOfRange(place: FetchPlace, doing: string): void {
    const { autoOffsetReset } = this.#options;
    if (autoOffsetReset === "none") {
      const error = brokerError(brokerCode.offsetOutOfRange, doing);
      this.#fail(
        new TaskError("kafka.offset_out_of_range", error.message, {
          hint: "set auto.offset.reset to earliest or latest, or give the group another offset",
        }),
        place,
      );
      return;
    }
    place.isResetting = true;
    this.#scope.spawn(
      () => this.#reset(place, autoOffsetReset),
      (error) => this.#fail(error, place),
    );
  }

  async #reset(place: FetchPlace, policy: "earliest" | "latest"): Promise<void> {
    const { transport, readCommitted, logger, clock } = this.#options;
    const { topic, partition, version, position: from } = place;
    const query = { topic, partition, timestampMs: offsetOf[policy] };
    const isCurrent = () => place.version === version && !this.#scope.signal.aborted;
    try {
      const [to = -1] = await lookUpOffsets([query], {
        map: transport.map,
        connections: this.#connections,
        readCommitted,
        signal: this.#scope.signal,
        ...(clock && { clock }),
      });
      if (!isCurrent()) return;
      logger.warn(
        { topic, partition, from, to },
        `${name(place)} has no offset ${from}: reading goes on at ${to} (${policy})`,
      );
      place.moveTo(to);
      place.addMove(moved(place, from, to));
      if (!place.isPaused) this.#ready.add(place);
      this.wake.nudge();
    } catch (error) {
      if (!isCurrent()) return;
      place.isResetting = false;
      place.failed(this.#nowMs());
      if (!(error instanceof RetriableError)) throw error;
      logger.warn({ topic, partition, err: error }, `cannot read ${name(place)}, trying again`);
    } finally {
      this.#sender.nudge();
    }
  }

  #nowMs(): number {
    return this.#options.clock?.elapsedMs() ?? performance.now();
  }
}

interface Failure {
  readonly error: unknown;
  /** Whose it is, as it stood then; undefined for that of a broker or of the cluster. */
  readonly place: FetchPlace | undefined;
  readonly version: number | undefined;
}

function beginsWhole({ records }: FetchedPartition): boolean {
  const size = batchSize(records, 0, records.length);
  return size > 0 && size <= records.length;
}

function name({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}
