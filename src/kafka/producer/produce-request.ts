/** The batches that go to one broker together. */

import type { ProduceRequest } from "../protocol/produce.ts";
import type { ProduceBatch } from "./produce-batch.ts";
import type { TopicPartitionBatches } from "./topic-batches.ts";

export interface Outgoing {
  readonly node: number;
  bytes: number;
  /** One of each partition, as brokers insist. */
  readonly batches: Map<TopicPartitionBatches, ProduceBatch>;
}

type Partitions = { partition: number; batch: Uint8Array }[];

/** Each batch has its bytes. */
export function outgoingRequest(
  { batches }: Outgoing,
  acks: ProduceRequest["acks"],
  timeoutMs: number,
): ProduceRequest {
  const topics: { topic: string; partitions: Partitions }[] = [];
  const byTopic = new Map<object, Partitions>();
  for (const [{ home, partition }, { bytes }] of batches) {
    if (bytes === undefined) throw new Error("a batch is sent before it is finished");
    let partitions = byTopic.get(home);
    if (partitions === undefined) {
      partitions = [];
      byTopic.set(home, partitions);
      topics.push({ topic: home.name, partitions });
    }
    partitions.push({ partition, batch: bytes });
  }
  return { transactionalId: null, acks, timeoutMs, topics };
}
