/** The port's consumer in a group of this process. */
import { deferred } from "../base/deferred.ts";
import { FencedError, TaskError } from "../base/error.ts";
import type {
  Fetched,
  PartitionOffset,
  SinkConsumer,
  SinkConsumerOptions,
  TopicPartition,
} from "../kafka/kafka.ts";
import type { Logger } from "../observe/logger.ts";
import { Fetcher, placeKey } from "./fetcher.ts";
import type { Duty, Group, Member } from "./group.ts";
import type { GroupCoordinator } from "./group-coordinator.ts";
import type { TopicCatalog } from "./topic-catalog.ts";

export class EmbeddedSinkConsumer implements SinkConsumer, Member {
  readonly #options: SinkConsumerOptions;
  readonly #catalog: TopicCatalog;
  readonly #groups: GroupCoordinator;
  readonly #fetcher: Fetcher;
  readonly #onClose: (consumer: EmbeddedSinkConsumer) => void;
  #group: Group | undefined;
  #held: readonly TopicPartition[] = [];
  #isClosed = false;
  #polling: Promise<unknown> = Promise.resolve();

  constructor(
    options: SinkConsumerOptions,
    parts: {
      catalog: TopicCatalog;
      groups: GroupCoordinator;
      logger: Logger;
      onClose: (consumer: EmbeddedSinkConsumer) => void;
    },
  ) {
    this.#options = options;
    this.#catalog = parts.catalog;
    this.#groups = parts.groups;
    this.#onClose = parts.onClose;
    this.#fetcher = new Fetcher({ ...parts, autoOffsetReset: options.autoOffsetReset });
  }

  get topics(): SinkConsumerOptions["topics"] {
    return this.#options.topics;
  }

  nudge(): void {
    this.#fetcher.wake.nudge();
  }

  async poll(timeoutMs: number, signal?: AbortSignal): Promise<Fetched[]> {
    const ended = deferred();
    this.#polling = ended.promise;
    try {
      return await this.#poll(timeoutMs, signal);
    } finally {
      ended.resolve();
    }
  }

  assignment(): readonly TopicPartition[] {
    return this.#duty.at === "lost" ? [] : this.#held;
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
    const foreign = offsets.find((each) => !held.has(placeKey(each)));
    if (foreign !== undefined || this.#duty.at === "lost") {
      const name = foreign === undefined ? "offsets" : `${foreign.topic}-${foreign.partition}`;
      throw new FencedError(
        "kafka.member_fenced",
        `cannot commit ${name} for group ${groupId}: the partition is no longer this member's`,
      );
    }
    await this.#groups.offsets.commit(groupId, offsets);
  }

  async committed(partitions: readonly TopicPartition[]): Promise<readonly (number | null)[]> {
    const { groupId } = this.#options;
    return partitions.map((each) => this.#groups.offsets.committed(groupId, each));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.end();
    await this.#polling;
    try {
      await this.#giveUp();
    } finally {
      this.#group?.leave(this);
      this.#fetcher.close();
      this.#onClose(this);
    }
  }

  /** Ends a running poll; nothing is read from now on. */
  end(): void {
    this.#isClosed = true;
    this.nudge();
  }

  get #duty(): Duty {
    return this.#group?.duty(this) ?? { at: "lost" };
  }

  async #poll(timeoutMs: number, signal?: AbortSignal): Promise<Fetched[]> {
    const deadlineMs = performance.now() + timeoutMs;
    while (!this.#isClosed && !signal?.aborted) {
      const mayRead = await this.#doDuty();
      if (!mayRead) continue;
      const fetched = await this.#fetcher.fetch();
      const leftMs = deadlineMs - performance.now();
      if (fetched.length > 0 || leftMs <= 0) return fetched;
      await this.#fetcher.wake.wait(leftMs, signal);
    }
    return [];
  }

  /** One step of a rebalance; false when there is another to do first. */
  async #doDuty(): Promise<boolean> {
    const duty = this.#duty;
    if (duty.at === "none" || duty.at === "wait") return true;
    if (duty.at === "take") {
      await this.#take(duty.partitions);
      return false;
    }
    await this.#giveUp();
    // Whoever was thrown out (also while giving up) comes back as somebody new.
    if (this.#duty.at === "lost") {
      this.#group = this.#groups.group(this.#options.groupId);
      this.#group.enter(this);
    }
    this.#group?.join(this);
    return false;
  }

  async #take(partitions: readonly TopicPartition[]): Promise<void> {
    this.#group?.taken(this);
    const offsets = partitions.map((each) => ({ ...each, offset: this.#startOf(each) }));
    this.#held = partitions;
    this.#fetcher.assign(offsets);
    if (partitions.length > 0) await this.#options.listener.assigned(offsets);
  }

  async #giveUp(): Promise<void> {
    const held = this.#held;
    if (held.length === 0) return;
    const { listener } = this.#options;
    try {
      if (this.#duty.at === "lost") await listener.lost(held);
      else await listener.revoked(held);
    } finally {
      this.#held = [];
      this.#fetcher.assign([]);
    }
  }

  #startOf(partition: TopicPartition): number {
    const committed = this.#groups.offsets.committed(this.#options.groupId, partition);
    if (committed !== null) return committed;
    const log = this.#catalog.partition(partition.topic, partition.partition);
    if (log === undefined) return 0;
    return this.#options.autoOffsetReset === "earliest" ? log.startOffset : log.endOffset;
  }
}
