/** The port's consumer in a group of a cluster. */
import { type Clock, systemClock } from "../../base/clock.ts";
import { within } from "../../base/deadline.ts";
import { type Deferred, deferred } from "../../base/deferred.ts";
import { FencedError, TaskError } from "../../base/error.ts";
import { Scope } from "../../base/scope.ts";
import type { Logger } from "../../observe/logger.ts";
import { brokerCode } from "../broker-error.ts";
import type { Transport } from "../calls.ts";
import type {
  Fetched,
  PartitionOffset,
  SinkConsumer,
  SinkConsumerOptions,
  TopicPartition,
} from "../kafka.ts";
import { placeKey } from "../reader/fetch-place.ts";
import { offsetReset, readsCommitted } from "../reader/fetch-settings.ts";
import { Fetcher } from "../reader/fetcher.ts";
import { ConsumerMembership } from "./consumer-membership.ts";
import type { GroupMember } from "./group-member.ts";
import { GroupOffsets } from "./group-offsets.ts";
import { type GroupSettings, groupSettings } from "./group-settings.ts";
import type { GivenShare } from "./member-state.ts";
import { ShareStarter } from "./share-starter.ts";

export interface SinkConsumerParts {
  readonly transport: Transport;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly onClose?: () => void;
}

/** What is committed while closing is tried for so long, as Java's consumer gives a close. */
const closeMsMax = 30_000;
/** How long the cluster is asked whether a topic is gone. */
const goneMsMax = 1_000;
/** How often a poll looks whether the map says anything new of the topics. */
const topicsCheckMs = 1_000;

export class KafkaSinkConsumer implements SinkConsumer {
  readonly #options: SinkConsumerOptions;
  readonly #parts: SinkConsumerParts;
  readonly #clock: Clock;
  readonly #settings: GroupSettings;
  readonly #scope = new Scope();
  readonly #fetcher: Fetcher;
  readonly #membership: ConsumerMembership;
  readonly #member: GroupMember;
  readonly #offsets: GroupOffsets;
  readonly #starter: ShareStarter;
  #held: readonly TopicPartition[] = [];
  #isClosed = false;
  #isWatching = false;
  #polling: Promise<unknown> = Promise.resolve();
  #joined: Deferred<void> | undefined;
  #topicsCheckedMs = 0;

  /** @throws ConfigError that names the key which cannot be used */
  constructor(options: SinkConsumerOptions, parts: SinkConsumerParts) {
    const { clientId, groupId, config } = options;
    const { transport, clock = systemClock } = parts;
    const logger = parts.logger.child({ group: groupId });
    this.#options = options;
    this.#parts = parts;
    this.#clock = clock;
    this.#settings = groupSettings(config);
    const autoOffsetReset = offsetReset(config) ?? options.autoOffsetReset;
    const readCommitted = readsCommitted(config);
    const role = { transport, clientId, ...(config && { config }) };
    this.#fetcher = new Fetcher({ ...role, readCommitted, autoOffsetReset, logger, clock });
    const settings = this.#settings;
    this.#membership = new ConsumerMembership({
      transport,
      settings,
      consumer: options,
      logger,
      clock,
      held: () => this.#held,
      onChange: () => this.#changed(),
      onTopics: () => {
        this.#topicsCheckedMs = Number.NEGATIVE_INFINITY;
        this.#fetcher.wake.nudge();
      },
    });
    this.#member = this.#membership.member;
    const joined = () => this.#whenJoined();
    const { timing, instanceId } = settings;
    this.#offsets = new GroupOffsets({
      member: this.#member,
      instanceId,
      timing,
      clock,
      joined,
      areGone: (topics) => this.#areGone(topics),
    });
    this.#starter = new ShareStarter({
      transport,
      connections: this.#member.connections,
      groupId,
      offsets: this.#offsets,
      autoOffsetReset,
      readCommitted,
      timing,
      clock,
      logger,
      scope: this.#scope,
      onReady: () => this.#fetcher.wake.nudge(),
    });
  }

  async poll(timeoutMs: number, signal?: AbortSignal): Promise<Fetched[]> {
    const ended = deferred();
    this.#polling = ended.promise;
    this.#member.userBack();
    try {
      return await this.#poll(timeoutMs, signal);
    } finally {
      this.#member.userLeft();
      ended.resolve();
    }
  }

  assignment(): readonly TopicPartition[] {
    return this.#isOut ? [] : this.#held;
  }

  seek(partition: TopicPartition, offset: number): void {
    if (this.#fetcher.seek(partition, offset)) return;
    throw new TaskError(
      "kafka.partition_not_assigned",
      `cannot seek in ${partition.topic}-${partition.partition}: ` +
        `it is not assigned to this member of group ${this.#options.groupId}`,
    );
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.#fetcher.setPaused(partitions, true);
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.#fetcher.setPaused(partitions, false);
  }

  async commit(offsets: readonly PartitionOffset[]): Promise<void> {
    const { groupId } = this.#options;
    const held = new Set(this.#held.map(placeKey));
    for (const { topic, partition, offset } of offsets) {
      const name = `${topic}-${partition}`;
      if (!held.has(placeKey({ topic, partition }))) {
        throw new FencedError(
          "kafka.member_fenced",
          `cannot commit ${name} for group ${groupId}: the partition is no longer this member's`,
        );
      }
      // The broker would store it.
      if (Number.isSafeInteger(offset) && offset >= 0) continue;
      const text = `cannot commit offset ${offset} of ${name} for group ${groupId}: it is no offset`;
      throw new TaskError("kafka.offset_invalid", text);
    }
    const { apiTimeoutMs } = this.#settings;
    const timeoutMs = this.#isClosed ? Math.min(apiTimeoutMs, closeMsMax) : apiTimeoutMs;
    await this.#offsets.commit(offsets, timeoutMs);
  }

  async committed(partitions: readonly TopicPartition[]): Promise<readonly (number | null)[]> {
    const { apiTimeoutMs } = this.#settings;
    const found = await this.#offsets.committedWithin(partitions, apiTimeoutMs);
    return found.map((offset) => (offset < 0 ? null : offset));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#fetcher.wake.nudge();
    await this.#polling;
    // A commit waits for a join, and that for other members.
    this.#member.stopJoining();
    try {
      await this.#giveUp(this.#held, this.#isOut ? "lost" : "revoked");
    } finally {
      await Promise.all([this.#member.leave(), this.#fetcher.close(), this.#scope.close()]);
      this.#parts.onClose?.();
    }
  }

  /** What it held is another's, or may be. */
  get #isOut(): boolean {
    const { at } = this.#member.state;
    return at === "lost" || at === "failed" || at === "left";
  }

  async #areGone(topics: readonly string[]): Promise<boolean> {
    const { map } = this.#parts.transport;
    const asked = map.refresh(topics).then(
      () => true,
      () => false,
    );
    if (!(await within(asked, goneMsMax, false))) return false;
    return topics.every((name) => map.topicError(name) === brokerCode.unknownTopicOrPartition);
  }

  async #poll(timeoutMs: number, signal?: AbortSignal): Promise<Fetched[]> {
    const deadlineMs = performance.now() + timeoutMs;
    this.#watchTopics();
    while (!this.#isClosed && !signal?.aborted) {
      const mayRead = await this.#doDuty();
      if (!mayRead) continue;
      const fetched = await this.#fetcher.fetch();
      const leftMs = deadlineMs - performance.now();
      if (fetched.length > 0 || leftMs <= 0) return fetched;
      await this.#fetcher.wake.wait(Math.min(leftMs, topicsCheckMs), signal);
    }
    return [];
  }

  #watchTopics(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    const { topics } = this.#membership;
    this.#scope.spawn(
      (signal) => topics.run(signal),
      (error) => {
        topics.failure = error;
      },
    );
  }

  #changed(): void {
    const { state } = this.#member;
    const membership = this.#membership;
    if (state.at === "assigned") {
      this.#starter.begin(state.given, (given) => membership.partitionsOf(given), this.#held);
    } else if (state.at !== "stable") this.#starter.drop();
    if (state.at !== "joining") this.#joined?.resolve();
    if (state.at !== "joining") this.#joined = undefined;
    this.#fetcher.wake.nudge();
  }

  #whenJoined(): Promise<void> {
    if (this.#member.state.at !== "joining") return Promise.resolve();
    this.#joined ??= deferred();
    return this.#joined.promise;
  }

  /** One step of a rebalance; false when there may be another to do first. */
  async #doDuty(): Promise<boolean> {
    const { state } = this.#member;
    switch (state.at) {
      case "outside":
        this.#member.join();
        return false;
      case "joining":
      case "left":
        return true;
      case "assigned":
        return !(await this.#take(state.given));
      case "stable":
        this.#checkTopics();
        return this.#member.state === state;
      case "rebalancing":
        // Waited for: whoever gets them must find what is committed here.
        if (!this.#membership.isCooperative) await this.#giveUp(this.#held, "revoked");
        this.#member.join();
        return false;
      case "lost":
        await this.#giveUp(this.#held, "lost");
        this.#member.join();
        return false;
      case "failed":
        // Not joined again: one who was fenced would fence the other in turn.
        await this.#giveUp(this.#held, "lost");
        throw state.error;
    }
  }

  #checkTopics(): void {
    const { topics } = this.#membership;
    const { failure } = topics;
    topics.failure = undefined;
    if (failure !== undefined) throw failure;
    const nowMs = this.#clock.elapsedMs();
    if (nowMs - this.#topicsCheckedMs < topicsCheckMs) return;
    this.#topicsCheckedMs = nowMs;
    this.#membership.checkTopics();
  }

  /** Puts a share into force, unless it is not yet known where to begin in it. */
  async #take(given: GivenShare): Promise<boolean> {
    const share = this.#starter.readyFor(given);
    if (share === undefined) return false;
    if ("failure" in share) throw share.failure;
    this.#member.take();
    const kept = new Set(share.partitions.map(placeKey));
    const revoked = this.#held.filter((each) => !kept.has(placeKey(each)));
    await this.#giveUp(revoked, "revoked");
    if (this.#isOut) return true;
    this.#held = share.partitions;
    this.#fetcher.add(share.added);
    if (revoked.length > 0) this.#member.requestRejoin("it gave up partitions for others");
    if (share.added.length > 0) {
      await this.#whileAway(() => this.#options.listener.assigned(share.added));
    }
    return true;
  }

  async #giveUp(partitions: readonly TopicPartition[], how: "revoked" | "lost"): Promise<void> {
    if (partitions.length === 0) return;
    try {
      await this.#whileAway(() => this.#options.listener[how](partitions));
    } finally {
      const gone = new Set(partitions.map(placeKey));
      this.#held = this.#held.filter((each) => !gone.has(placeKey(each)));
      this.#fetcher.remove(partitions);
    }
  }

  /** The group does not wait for a listener longer than for a poll. */
  async #whileAway(work: () => Promise<void>): Promise<void> {
    this.#member.userLeft();
    try {
      await work();
    } finally {
      this.#member.userBack();
    }
  }
}
