/** What a group has committed. */
import type { PartitionOffset, TopicPartition } from "../kafka.ts";
import type { Api } from "./api.ts";
import { byTopic } from "./by-topic.ts";

export interface OffsetFetchRequest {
  readonly groupId: string;
  /** Null asks for all that there is. */
  readonly partitions: readonly TopicPartition[] | null;
}

export interface OffsetFetchResponse {
  readonly errorCode: number;
  readonly partitions: readonly FetchedOffset[];
}

/** `offset` is -1 where nothing is committed. */
export interface FetchedOffset extends PartitionOffset {
  readonly errorCode: number;
}

export const offsetFetch: Api<OffsetFetchRequest, OffsetFetchResponse> = {
  key: 9,
  name: "OffsetFetch",
  versions: { min: 5, max: 5 },
  throttle: { from: 4, at: 0 },
  write(to, { groupId, partitions }) {
    to.string(groupId);
    to.array(partitions === null ? null : byTopic(partitions), ([topic, each]) => {
      to.string(topic);
      to.array(each, ({ partition }) => to.int32(partition));
    });
  },
  read(from) {
    from.int32();
    const partitions = from.array(() => {
      const topic = from.string();
      return from.array((): FetchedOffset => {
        const partition = from.int32();
        const offset = from.int64();
        from.int32();
        from.nullableString();
        return { topic, partition, offset, errorCode: from.int16() };
      });
    });
    return { errorCode: from.int16(), partitions: partitions.flat() };
  },
};
