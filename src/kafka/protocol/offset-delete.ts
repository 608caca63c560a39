import type { TopicPartition } from "../kafka.ts";
import type { Api } from "./api.ts";
import { byTopic } from "./by-topic.ts";

export interface OffsetDeleteRequest {
  readonly groupId: string;
  readonly partitions: readonly TopicPartition[];
}

export interface OffsetDeleteResponse {
  readonly errorCode: number;
  readonly partitions: readonly (TopicPartition & { readonly errorCode: number })[];
}

/** KIP-496; kafkajs has no codec for it. */
export const offsetDelete: Api<OffsetDeleteRequest, OffsetDeleteResponse> = {
  key: 47,
  name: "OffsetDelete",
  versions: { min: 0, max: 0 },
  throttle: { from: 0, at: 2 },
  write(to, { groupId, partitions }) {
    to.string(groupId);
    to.array(byTopic(partitions), ([topic, each]) => {
      to.string(topic);
      to.array(each, ({ partition }) => to.int32(partition));
    });
  },
  read(from) {
    const errorCode = from.int16();
    from.int32();
    const partitions = from.array(() => {
      const topic = from.string();
      return from.array(() => ({ topic, partition: from.int32(), errorCode: from.int16() }));
    });
    return { errorCode, partitions: partitions.flat() };
  },
};
