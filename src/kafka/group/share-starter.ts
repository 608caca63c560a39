/** Finds out where reading begins in the partitions that a new generation brought. */
import { Backoff } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import { errorLine, RetriableError, TaskError } from "../../base/error.ts";
import type { Scope } from "../../base/scope.ts";
import type { Logger } from "../../observe/logger.ts";
import { brokerCode } from "../broker-error.ts";
import type { Connections, Transport } from "../calls.ts";
import type { PartitionOffset, TopicPartition } from "../kafka.ts";
import { offsetOf } from "../protocol/list-offsets.ts";
import { placeKey } from "../reader/fetch-place.ts";
import type { OffsetReset } from "../reader/fetch-settings.ts";
import { LastingTrouble } from "../reader/lasting-trouble.ts";
import { lookUpOffsets } from "../reader/offset-lookup.ts";
import type { GroupOffsets } from "./group-offsets.ts";
import type { GroupTiming } from "./group-timing.ts";
import type { GivenShare } from "./member-state.ts";

export interface ShareStarterOptions {
  readonly transport: Transport;
  readonly connections: Connections;
  readonly groupId: string;
  readonly offsets: GroupOffsets;
  readonly autoOffsetReset: OffsetReset;
  readonly readCommitted: boolean;
  readonly timing: GroupTiming;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly scope: Scope;
  onReady(): void;
}

/** A share that can be put into force, or the reason why it cannot. */
export type ReadyShare =
  | {
      readonly partitions: readonly TopicPartition[];
      /** Those that were not held before. */
      readonly added: readonly PartitionOffset[];
    }
  | { readonly failure: unknown };

/** A topic may be gone again: the share is not held up for it. */
const lookUpMsMax = 5_000;

export class ShareStarter {
  readonly #options: ShareStarterOptions;
  #given: GivenShare | undefined;
  #ready: ReadyShare | undefined;
  #stop = new AbortController();

  constructor(options: ShareStarterOptions) {
    this.#options = options;
  }

  /** Begins with this share, unless it has; what was begun before is given up. */
  begin(
    given: GivenShare,
    partitionsOf: (given: GivenShare) => readonly TopicPartition[],
    held: readonly TopicPartition[],
  ): void {
    if (given === this.#given) return;
    this.drop();
    this.#given = given;
    const stop = new AbortController();
    this.#stop = stop;
    const settle = (ready: ReadyShare) => {
      if (stop.signal.aborted) return;
      this.#ready = ready;
      this.#options.onReady();
    };
    this.#options.scope.spawn(
      async (closing) => {
        const partitions = partitionsOf(given);
        const kept = new Set(held.map(placeKey));
        const added = partitions.filter((each) => !kept.has(placeKey(each)));
        const signal = AbortSignal.any([closing, stop.signal]);
        settle({ partitions, added: await this.#startsOf(added, signal) });
      },
      (failure) => settle({ failure }),
    );
  }

  /** Undefined while it is not known yet where it begins. */
  readyFor(given: GivenShare): ReadyShare | undefined {
    return given === this.#given ? this.#ready : undefined;
  }

  /** The share is in force, or void. */
  drop(): void {
    this.#stop.abort();
    this.#given = undefined;
    this.#ready = undefined;
  }

  async #startsOf(
    partitions: readonly TopicPartition[],
    signal: AbortSignal,
  ): Promise<readonly PartitionOffset[]> {
    const { clock, timing, logger } = this.#options;
    const firstMs = timing.retryBackoffMs;
    const maxMs = Math.max(firstMs, timing.retryBackoffMsMax);
    const backoff = new Backoff({ firstMs, maxMs });
    const trouble = new LastingTrouble();
    for (;;) {
      try {
        return await this.#tryStartsOf(partitions, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof RetriableError)) throw error;
        const told = trouble.failed(clock.elapsedMs());
        const reason = errorLine(error);
        if (told) logger[told.level]({ reason }, "cannot find out where to begin, trying again");
      }
      await clock.sleep(backoff.nextDelayMs(), signal);
    }
  }

  async #tryStartsOf(
    partitions: readonly TopicPartition[],
    signal: AbortSignal,
  ): Promise<readonly PartitionOffset[]> {
    const committed = await this.#options.offsets.committed(partitions, signal);
    const missing = partitions.filter((_, n) => (committed[n] ?? -1) < 0);
    const reset = new Map<string, number>();
    const offsets = await this.#resetOf(missing, signal);
    for (const [n, each] of missing.entries()) reset.set(placeKey(each), offsets[n] ?? 0);
    return partitions.map((each, n) => {
      const offset = reset.get(placeKey(each)) ?? committed[n] ?? 0;
      return { topic: each.topic, partition: each.partition, offset };
    });
  }

  async #resetOf(
    partitions: readonly TopicPartition[],
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    const { transport, connections, autoOffsetReset, readCommitted, groupId } = this.#options;
    const [first] = partitions;
    if (first === undefined) return [];
    if (autoOffsetReset === "none") {
      throw new TaskError(
        "kafka.offset_missing",
        `cannot read ${first.topic}-${first.partition}: group ${groupId} has no offset of it`,
        { hint: "set auto.offset.reset to earliest or latest, or give the group an offset" },
      );
    }
    const { map } = transport;
    const isGone = ({ topic }: TopicPartition) =>
      map.topicError(topic) === brokerCode.unknownTopicOrPartition;
    const there = partitions.filter((each) => !isGone(each));
    const timestampMs = offsetOf[autoOffsetReset];
    const found = await lookUpOffsets(
      there.map((each) => ({ ...each, timestampMs })),
      { map, connections, readCommitted, timeoutMs: lookUpMsMax, signal },
    );
    const offsets = new Map(there.map((each, n) => [placeKey(each), found[n] ?? 0]));
    return partitions.map((each) => offsets.get(placeKey(each)) ?? 0);
  }
}
