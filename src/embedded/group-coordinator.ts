/** All consumer groups of this process. */
import { TaskError } from "../base/error.ts";
import { Group } from "./group.ts";
import type { GroupOffsets } from "./group-offsets.ts";
import type { TopicCatalog } from "./topic-catalog.ts";

export class GroupCoordinator {
  readonly offsets: GroupOffsets;
  readonly #catalog: TopicCatalog;
  readonly #rebalanceTimeoutMs: number;
  readonly #groups = new Map<string, Group>();
  readonly #unwatch: () => void;

  constructor(parts: { catalog: TopicCatalog; offsets: GroupOffsets; rebalanceTimeoutMs: number }) {
    this.offsets = parts.offsets;
    this.#catalog = parts.catalog;
    this.#rebalanceTimeoutMs = parts.rebalanceTimeoutMs;
    this.#unwatch = parts.catalog.watch(() => {
      for (const group of this.#groups.values()) group.topicsChanged();
    });
  }

  /** The group with this id; it is forgotten when its last member leaves. */
  group(groupId: string): Group {
    const known = this.#groups.get(groupId);
    if (known !== undefined) return known;
    const group = new Group({
      catalog: this.#catalog,
      rebalanceTimeoutMs: this.#rebalanceTimeoutMs,
      onEmpty: () => this.#groups.delete(groupId),
    });
    this.#groups.set(groupId, group);
    return group;
  }

  /** @throws TaskError `kafka.group_not_empty`. */
  assertEmpty(groupId: string, doing: string): void {
    if (!this.#groups.has(groupId)) return;
    throw new TaskError(
      "kafka.group_not_empty",
      `cannot ${doing} of consumer group ${groupId}: it still has members`,
      { hint: "Stop the connector (PUT …/stop) and wait until its tasks have ended." },
    );
  }

  async forgetTopic(topic: string): Promise<void> {
    await this.offsets.forgetTopic(topic);
  }

  close(): void {
    this.#unwatch();
    for (const group of this.#groups.values()) group.close();
  }
}
