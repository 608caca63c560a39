/** Records put into a partition with nothing but the codec: no producer stands between. */
import { BatchBuilder } from "../../../src/batch/encode.ts";
import { brokerError } from "../../../src/kafka/broker-error.ts";
import type { Connections, Transport } from "../../../src/kafka/calls.ts";
import { produce } from "../../../src/kafka/protocol/produce.ts";
import { newRecordSlice } from "../../../src/record/record-slice.ts";

/** Appends one batch; resolves with the offset of its first record. The map has to know the topic. */
export async function writeRecords(
  { map }: Transport,
  connections: Connections,
  { topic, partition }: { topic: string; partition: number },
  values: readonly string[],
): Promise<number> {
  const node = map.topic(topic)?.leaders[partition] ?? -1;
  const partitions = [{ partition, batch: batchOf(values) }];
  const request = {
    transactionalId: null,
    acks: -1,
    timeoutMs: 10_000,
    topics: [{ topic, partitions }],
  } as const;
  const { topics } = await connections.call({ at: "node", node }, produce, request);
  const { errorCode, baseOffset } = topics[0]!.partitions[0]!;
  if (errorCode !== 0) throw brokerError(errorCode, `write to ${topic}-${partition}`);
  return baseOffset;
}

function batchOf(values: readonly string[]): Uint8Array {
  const batch = new BatchBuilder();
  const record = newRecordSlice();
  for (const value of values) {
    const bytes = Buffer.from(value);
    Object.assign(record.key, { bytes, start: -1, end: -1 });
    Object.assign(record.value, { bytes, start: 0, end: bytes.length });
    batch.append(record, Date.now());
  }
  return Buffer.from(batch.finish(0));
}
