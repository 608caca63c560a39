import type { Api } from "./api.ts";
import { byTopic } from "./by-topic.ts";

export interface FetchRequest {
  readonly maxWaitMs: number;
  readonly minBytes: number;
  /** Of the whole answer; a first batch that is larger comes all the same. */
  readonly maxBytes: number;
  readonly readCommitted: boolean;
  /** Served in this order until `maxBytes` is reached. */
  readonly partitions: readonly FetchPartition[];
}

export interface FetchPartition {
  readonly topic: string;
  readonly partition: number;
  /** As the metadata told it, so that a broker which knows better says so; -1 when unknown. */
  readonly leaderEpoch: number;
  readonly offset: number;
  readonly maxBytes: number;
}

export interface FetchResponse {
  readonly throttleMs: number;
  readonly errorCode: number;
  readonly partitions: readonly FetchedPartition[];
}

export interface FetchedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  /** In the order in which they were completed. */
  readonly aborted: readonly AbortedTransaction[];
  /** Whole batches and perhaps the beginning of another; a view of the response. */
  readonly records: Uint8Array;
}

/** Up to a marker behind `firstOffset` the transactional batches of the producer do not count. */
export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

/** Without sessions (KIP-227) and from leaders only. */
export const fetch: Api<FetchRequest, FetchResponse> = {
  key: 1,
  name: "Fetch",
  versions: { min: 4, max: 11 },
  throttle: { from: 8, at: 0 },
  write(to, request, version) {
    to.int32(-1);
    to.int32(request.maxWaitMs);
    to.int32(request.minBytes);
    to.int32(request.maxBytes);
    to.int8(request.readCommitted ? 1 : 0);
    if (version >= 7) {
      to.int32(0);
      to.int32(-1);
    }
    to.array(byTopic(request.partitions), ([topic, partitions]) => {
      to.string(topic);
      to.array(partitions, (each) => {
        to.int32(each.partition);
        if (version >= 9) to.int32(each.leaderEpoch);
        to.int64(each.offset);
        if (version >= 5) to.int64(-1);
        to.int32(each.maxBytes);
      });
    });
    if (version >= 7) to.array([], () => {});
    if (version >= 11) to.string("");
  },
  read(from, version) {
    const throttleMs = from.int32();
    const errorCode = version >= 7 ? from.int16() : 0;
    if (version >= 7) from.int32();
    const partitions = from.array(() => {
      const topic = from.string();
      return from.array((): FetchedPartition => {
        const partition = from.int32();
        const code = from.int16();
        const highWatermark = from.int64();
        const lastStableOffset = from.int64();
        if (version >= 5) from.int64();
        const aborted = from.array(() => ({ producerId: from.int64(), firstOffset: from.int64() }));
        if (version >= 11) from.int32();
        const records = from.bytes();
        return {
          topic,
          partition,
          errorCode: code,
          highWatermark,
          lastStableOffset,
          aborted,
          records,
        };
      });
    });
    return { throttleMs, errorCode, partitions: partitions.flat() };
  },
};
