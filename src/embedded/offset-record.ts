/** The records of `__consumer_offsets` as Kafka writes them. */
import {
  readInt16,
  readInt32,
  readInt64,
  writeInt16,
  writeInt32,
  writeInt64,
} from "../batch/varint.ts";
import type { TopicPartition } from "../kafka/kafka.ts";

const keyVersion = 1;
const valueVersion = 3;

/** Version, group, topic, partition. */
export function encodeKey(groupId: string, { topic, partition }: TopicPartition): Uint8Array {
  const group = Buffer.from(groupId);
  const name = Buffer.from(topic);
  const bytes = new Uint8Array(10 + group.length + name.length);
  writeInt16(bytes, 0, keyVersion);
  writeInt16(bytes, 2, group.length);
  bytes.set(group, 4);
  writeInt16(bytes, 4 + group.length, name.length);
  bytes.set(name, 6 + group.length);
  writeInt32(bytes, 6 + group.length + name.length, partition);
  return bytes;
}

/** Undefined for a record of another kind (Kafka keeps group members in the same topic). */
export function decodeKey(
  bytes: Uint8Array,
): { groupId: string; topic: string; partition: number } | undefined {
  if (readInt16(bytes, 0) > keyVersion) return undefined;
  const groupEnd = 4 + readInt16(bytes, 2);
  const topicEnd = groupEnd + 2 + readInt16(bytes, groupEnd);
  const text = (start: number, end: number) => Buffer.from(bytes.subarray(start, end)).toString();
  return {
    groupId: text(4, groupEnd),
    topic: text(groupEnd + 2, topicEnd),
    partition: readInt32(bytes, topicEnd),
  };
}

/** Version, offset, no leader epoch, no metadata, time of the commit. */
export function encodeOffset(offset: number, nowMs: number): Uint8Array {
  const bytes = new Uint8Array(24);
  writeInt16(bytes, 0, valueVersion);
  writeInt64(bytes, 2, offset);
  writeInt32(bytes, 10, -1);
  writeInt16(bytes, 14, 0);
  writeInt64(bytes, 16, nowMs);
  return bytes;
}

/** The offset stands behind the version in every version. */
export function decodeOffset(bytes: Uint8Array): number {
  return readInt64(bytes, 2);
}
