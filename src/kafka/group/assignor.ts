/** How the leader of a group deals out partitions: one of Kafka's strategies. */
import type { TopicPartition } from "../kafka.ts";

/** A member as a strategy sees it. */
export interface Reader {
  readonly memberId: string;
  /** `group.instance.id`: such a member keeps its place in the order when it comes back. */
  readonly instanceId: string | null;
  readonly topics: readonly string[];
  /** What it says it still reads. */
  readonly owned: readonly TopicPartition[];
  /** Which assignment it has that from; the higher one is right where two own the same. */
  readonly generation: number;
}

/** For each member, by its id, its partitions. Every partition that somebody wants has one reader. */
export type Sharing = ReadonlyMap<string, readonly TopicPartition[]>;

export interface Assignor {
  /** Its name on the wire; only members with a common name can be in one group. */
  readonly name: string;
  /** Java's class, as it stands in `partition.assignment.strategy`. */
  readonly javaClass: string;
  /**
   * A cooperative member reads on while the group rebalances and gives up only what it is told to; it
   * then joins once more.
   */
  readonly isCooperative: boolean;
  /** The same for the same input, whatever its order. Topics without a count do not exist. */
  assign(readers: readonly Reader[], partitionCounts: ReadonlyMap<string, number>): Sharing;
}

/** Kafka's order: those with an instance id first, by it; then by member id. */
export function inOrder(readers: readonly Reader[]): Reader[] {
  return [...readers].sort((a, b) => {
    if (a.instanceId !== null && b.instanceId !== null) {
      return a.instanceId < b.instanceId ? -1 : 1;
    }
    if (a.instanceId !== null) return -1;
    if (b.instanceId !== null) return 1;
    return a.memberId < b.memberId ? -1 : 1;
  });
}
