/**
 * What members of protocol type `consumer` tell each other through JoinGroup and SyncGroup, in the
 * bytes of Kafka's ConsumerProtocolSubscription and ConsumerProtocolAssignment, versions 0 to 3: Java's
 * consumers write version 3 and read any. A newer version only has fields behind those of version 3.
 */
import type { TopicPartition } from "../kafka.ts";
import { byTopic } from "../protocol/by-topic.ts";
import { WireReader } from "../protocol/wire-reader.ts";
import { WireWriter } from "../protocol/wire-writer.ts";

/** What a member wants to read, and what it reads while the group rebalances. */
export interface Subscription {
  readonly version: number;
  readonly topics: readonly string[];
  /** The assignor's own. */
  readonly userData: Uint8Array | null;
  /** Empty from members that give up everything before they join; before version 1 too. */
  readonly owned: readonly TopicPartition[];
  /** That of its last assignment; -1 when it has none, and before version 2. */
  readonly generation: number;
  /** Null before version 3. */
  readonly rackId: string | null;
}

/** What the leader gives a member. */
export interface Assignment {
  readonly version: number;
  readonly partitions: readonly TopicPartition[];
  readonly userData: Uint8Array | null;
}

/** What we write. */
export const consumerProtocolVersion = 3;

export function encodeSubscription(from: Subscription): Uint8Array {
  const to = new WireWriter();
  to.int16(from.version);
  to.array(from.topics, (topic) => to.string(topic));
  to.bytes(from.userData);
  if (from.version >= 1) writePartitions(to, from.owned);
  if (from.version >= 2) to.int32(from.generation);
  if (from.version >= 3) to.string(from.rackId);
  return Buffer.concat(to.parts());
}

/** @throws RetriableError `kafka.answer_malformed` for bytes of another kind */
export function decodeSubscription(bytes: Uint8Array): Subscription {
  const from = new WireReader(bytes);
  const version = from.int16();
  return {
    version,
    topics: from.array(() => from.string()),
    userData: from.nullableBytes(),
    owned: version >= 1 ? readPartitions(from) : [],
    generation: version >= 2 ? from.int32() : -1,
    rackId: version >= 3 ? from.nullableString() : null,
  };
}

export function encodeAssignment(from: Assignment): Uint8Array {
  const to = new WireWriter();
  to.int16(from.version);
  writePartitions(to, from.partitions);
  to.bytes(from.userData);
  return Buffer.concat(to.parts());
}

/** @throws RetriableError `kafka.answer_malformed` for bytes of another kind */
export function decodeAssignment(bytes: Uint8Array): Assignment {
  // A leader of another kind may leave a member out, and the broker then gives it no bytes at all.
  if (bytes.length === 0) return { version: 0, partitions: [], userData: null };
  const from = new WireReader(bytes);
  const version = from.int16();
  return { version, partitions: readPartitions(from), userData: from.nullableBytes() };
}

function writePartitions(to: WireWriter, partitions: readonly TopicPartition[]): void {
  to.array(byTopic(partitions), ([topic, each]) => {
    to.string(topic);
    to.array(each, ({ partition }) => to.int32(partition));
  });
}

function readPartitions(from: WireReader): TopicPartition[] {
  const partitions = from.array(() => {
    const topic = from.string();
    return from.array(() => ({ topic, partition: from.int32() }));
  });
  return partitions.flat();
}
