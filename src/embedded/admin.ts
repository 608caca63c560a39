/** The port's admin over topics and groups in this process. */
import { TaskError } from "../base/error.ts";
import type {
  Admin,
  NewTopic,
  PartitionOffset,
  TopicDescription,
  TopicPartition,
} from "../kafka/kafka.ts";
import type { GroupCoordinator } from "./group-coordinator.ts";
import type { TopicCatalog } from "./topic-catalog.ts";

export class EmbeddedAdmin implements Admin {
  readonly #catalog: TopicCatalog;
  readonly #groups: GroupCoordinator;

  constructor(parts: { catalog: TopicCatalog; groups: GroupCoordinator }) {
    this.#catalog = parts.catalog;
    this.#groups = parts.groups;
  }

  /** With `__consumer_offsets`, as Kafka lists it. */
  async listTopics(): Promise<readonly string[]> {
    return this.#catalog.names;
  }

  async describeTopic(name: string): Promise<TopicDescription | undefined> {
    return this.#catalog.get(name)?.describe();
  }

  async createTopic(topic: NewTopic): Promise<boolean> {
    return this.#catalog.create(topic);
  }

  /** Also forgets what groups have committed for it. */
  async deleteTopic(name: string): Promise<void> {
    await this.#catalog.delete(name);
    await this.#groups.forgetTopic(name);
  }

  async endOffsets(partitions: readonly TopicPartition[]): Promise<readonly number[]> {
    return partitions.map(({ topic, partition }) => {
      const log = this.#catalog.partition(topic, partition);
      if (log !== undefined) return log.endOffset;
      throw new TaskError(
        "kafka.partition_not_found",
        `cannot tell the end of ${topic}-${partition}: there is no such partition`,
      );
    });
  }

  async groupOffsets(groupId: string): Promise<readonly PartitionOffset[]> {
    return this.#groups.offsets.of(groupId);
  }

  async alterGroupOffsets(
    groupId: string,
    offsets: readonly (TopicPartition & { offset: number | null })[],
  ): Promise<void> {
    this.#groups.assertEmpty(groupId, "alter the offsets");
    await this.#groups.offsets.commit(groupId, offsets);
  }

  async deleteGroup(groupId: string): Promise<void> {
    this.#groups.assertEmpty(groupId, "delete the offsets");
    const offsets = this.#groups.offsets.of(groupId);
    await this.#groups.offsets.commit(
      groupId,
      offsets.map(({ topic, partition }) => ({ topic, partition, offset: null })),
    );
  }

  /** There are no transactions in an embedded log, and so nobody to shut out. */
  async fenceProducers(): Promise<void> {}
}
