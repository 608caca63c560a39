/** Writes one record batch to each of several partitions of one broker. */
import type { Api } from "./api.ts";
import type { WireReader } from "./wire-reader.ts";

export interface ProduceRequest {
  /** Null without transactions. */
  readonly transactionalId: string | null;
  /** -1 = all in-sync replicas; with 0 the broker sends no answer. */
  readonly acks: -1 | 0 | 1;
  /** How long the leader may wait for the replicas. */
  readonly timeoutMs: number;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      /** Exactly one batch, as brokers insist; referred to until the request is on its way. */
      readonly batch: Uint8Array;
    }[];
  }[];
}

export interface ProduceResponse {
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly ProducedPartition[];
  }[];
  readonly throttleMs: number;
}

export interface ProducedPartition {
  readonly partition: number;
  readonly errorCode: number;
  /** -1 when nothing was written. */
  readonly baseOffset: number;
  /** -1 where records keep the times they came with. */
  readonly logAppendTimeMs: number;
  /** What the broker says of it, of single records too; null when it says nothing (before version 8). */
  readonly errorMessage: string | null;
}

export const produce: Api<ProduceRequest, ProduceResponse> = {
  key: 0,
  name: "Produce",
  versions: { min: 7, max: 8 },
  throttle: { from: 6, at: -4 },
  write(to, { transactionalId, acks, timeoutMs, topics }) {
    to.string(transactionalId);
    to.int16(acks);
    to.int32(timeoutMs);
    to.array(topics, ({ topic, partitions }) => {
      to.string(topic);
      to.array(partitions, ({ partition, batch }) => {
        to.int32(partition);
        to.bytes(batch);
      });
    });
  },
  read(from, version) {
    const topics = from.array(() => ({
      topic: from.string(),
      partitions: from.array(() => readPartition(from, version)),
    }));
    return { topics, throttleMs: from.int32() };
  },
};

function readPartition(from: WireReader, version: number): ProducedPartition {
  const partition = from.int32();
  const errorCode = from.int16();
  const baseOffset = from.int64();
  const logAppendTimeMs = from.int64();
  from.int64();
  if (version < 8) {
    return { partition, errorCode, baseOffset, logAppendTimeMs, errorMessage: null };
  }
  const ofRecords = from.array(() => ({ index: from.int32(), message: from.nullableString() }));
  const said = from.nullableString();
  const first = ofRecords[0];
  const ofFirst = first === undefined ? null : `record ${first.index}: ${first.message ?? said}`;
  return { partition, errorCode, baseOffset, logAppendTimeMs, errorMessage: ofFirst ?? said };
}
