/** Stores how far a group has read. */
import type { PartitionOffset, TopicPartition } from "../kafka.ts";
import type { Api } from "./api.ts";
import { byTopic } from "./by-topic.ts";

export interface OffsetCommitRequest {
  readonly groupId: string;
  /** -1 with an empty member id: from outside, which only a group without members takes. */
  readonly generation: number;
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly offsets: readonly PartitionOffset[];
}

export interface OffsetCommitResponse {
  /** One partition may be refused and the others stored. */
  readonly partitions: readonly (TopicPartition & { readonly errorCode: number })[];
}

/** Brokers take an offset of -1 without a word: whoever commits checks them. */
export const offsetCommit: Api<OffsetCommitRequest, OffsetCommitResponse> = {
  key: 8,
  name: "OffsetCommit",
  versions: { min: 7, max: 7 },
  throttle: { from: 4, at: 0 },
  write(to, { groupId, generation, memberId, instanceId, offsets }) {
    to.string(groupId);
    to.int32(generation);
    to.string(memberId);
    to.string(instanceId);
    to.array(byTopic(offsets), ([topic, each]) => {
      to.string(topic);
      to.array(each, ({ partition, offset }) => {
        to.int32(partition);
        to.int64(offset);
        to.int32(-1);
        to.string("");
      });
    });
  },
  read(from) {
    from.int32();
    const partitions = from.array(() => {
      const topic = from.string();
      return from.array(() => ({ topic, partition: from.int32(), errorCode: from.int16() }));
    });
    return { partitions: partitions.flat() };
  },
};
