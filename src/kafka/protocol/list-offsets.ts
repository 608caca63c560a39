import type { TopicPartition } from "../kafka.ts";
import type { Api } from "./api.ts";
import { byTopic } from "./by-topic.ts";

export interface ListOffsetsRequest {
  /** The end is then the last stable offset. */
  readonly readCommitted: boolean;
  readonly partitions: readonly (TopicPartition & {
    /** -1 when unknown. */
    readonly leaderEpoch: number;
    /** The first record at or after it; or one of `offsetOf`. */
    readonly timestampMs: number;
  })[];
}

/** What a timestamp below zero asks for. */
export const offsetOf = { latest: -1, earliest: -2 } as const;

export interface ListOffsetsResponse {
  readonly partitions: readonly ListedOffset[];
}

export interface ListedOffset extends TopicPartition {
  readonly errorCode: number;
  /** -1 where no record is as young as that. */
  readonly offset: number;
  readonly timestampMs: number;
}

export const listOffsets: Api<ListOffsetsRequest, ListOffsetsResponse> = {
  key: 2,
  name: "ListOffsets",
  versions: { min: 2, max: 5 },
  throttle: { from: 3, at: 0 },
  write(to, { readCommitted, partitions }, version) {
    to.int32(-1);
    to.int8(readCommitted ? 1 : 0);
    to.array(byTopic(partitions), ([topic, each]) => {
      to.string(topic);
      to.array(each, ({ partition, leaderEpoch, timestampMs }) => {
        to.int32(partition);
        if (version >= 4) to.int32(leaderEpoch);
        to.int64(timestampMs);
      });
    });
  },
  read(from, version) {
    from.int32();
    const partitions = from.array(() => {
      const topic = from.string();
      return from.array((): ListedOffset => {
        const partition = from.int32();
        const errorCode = from.int16();
        const timestampMs = from.int64();
        const offset = from.int64();
        if (version >= 4) from.int32();
        return { topic, partition, errorCode, offset, timestampMs };
      });
    });
    return { partitions: partitions.flat() };
  },
};
