/** Kafka's range assignor: of each topic, every member gets a run of neighbouring partitions. */
import type { TopicPartition } from "../kafka/kafka.ts";

/** What a member wants to read. */
export interface Subscription {
  readonly memberId: string;
  readonly topics: readonly string[];
}

/** For each member its partitions; members stand in the order of their ids. */
export function assignRange(
  subscriptions: readonly Subscription[],
  partitionCounts: ReadonlyMap<string, number>,
): Map<string, TopicPartition[]> {
  const members = [...subscriptions].sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const assignment = new Map(members.map((member) => [member.memberId, [] as TopicPartition[]]));
  for (const [topic, partitionCount] of partitionCounts) {
    const readers = members.filter((member) => member.topics.includes(topic));
    let partition = 0;
    for (const [n, reader] of readers.entries()) {
      const share =
        Math.floor(partitionCount / readers.length) + (n < partitionCount % readers.length ? 1 : 0);
      for (const end = partition + share; partition < end; partition++) {
        assignment.get(reader.memberId)!.push({ topic, partition });
      }
    }
  }
  return assignment;
}
