/**
 * Who reads which partitions, decided as Kafka's classic protocol does: when members or topics change,
 * every member gives up what it holds and joins; when all have joined (or the slow ones were thrown
 * out), the partitions are dealt out anew. Nothing happens to a member but inside its own `poll`: the
 * group only says what it has to do next.
 */
import type { TopicPartition } from "../kafka/kafka.ts";
import { assignRange } from "./assign-range.ts";
import { offsetsTopic } from "./group-offsets.ts";
import type { TopicCatalog } from "./topic-catalog.ts";

/** What a member has to do before it may read on. */
export type Duty =
  | { at: "none" }
  /** Give up what it holds, then `join`. */
  | { at: "rejoin" }
  /** Others still hold what it may get. */
  | { at: "wait" }
  /** These are its partitions now; told once. */
  | { at: "take"; partitions: readonly TopicPartition[] }
  /** It was thrown out: what it holds is another's. It may `enter` again. */
  | { at: "lost" };

/** One consumer in a group. */
export interface Member {
  readonly topics: readonly string[] | ((topic: string) => boolean);
  /** Called when its duty may have changed. */
  nudge(): void;
}

interface Seat {
  readonly id: string;
  duty: Duty;
}

export interface GroupOptions {
  catalog: TopicCatalog;
  rebalanceTimeoutMs: number;
  onEmpty: () => void;
}

export class Group {
  readonly #options: GroupOptions;
  readonly #seats = new Map<Member, Seat>();
  #timer: NodeJS.Timeout | undefined;
  /** The topics and partition counts that the last assignment was made from. */
  #topicsSeen = "";
  #entered = 0;

  constructor(options: GroupOptions) {
    this.#options = options;
  }

  /** Adds a member that holds nothing. */
  enter(member: Member): void {
    this.#entered += 1;
    const id = String(this.#entered).padStart(9, "0");
    this.#seats.set(member, { id, duty: { at: "rejoin" } });
    this.#rebalance();
  }

  leave(member: Member): void {
    if (!this.#seats.delete(member)) return;
    if (this.#seats.size > 0) {
      this.#rebalance();
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#options.onEmpty();
  }

  duty(member: Member): Duty {
    return this.#seats.get(member)?.duty ?? { at: "lost" };
  }

  /** The member holds nothing and waits for its share. */
  join(member: Member): void {
    const seat = this.#seats.get(member);
    if (seat?.duty.at !== "rejoin") return;
    seat.duty = { at: "wait" };
    this.#completeIfAllJoined();
  }

  /** The member holds what it was told to take. */
  taken(member: Member): void {
    const seat = this.#seats.get(member);
    if (seat?.duty.at === "take") seat.duty = { at: "none" };
  }

  /** Shares out anew when topics that somebody reads came, went or grew. */
  topicsChanged(): void {
    if (this.#timer !== undefined || this.#describeTopics() === this.#topicsSeen) return;
    this.#rebalance();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** All members are asked to join; those who have nothing to give up just wait again. */
  #rebalance(): void {
    for (const seat of this.#seats.values()) {
      if (seat.duty.at === "take" || seat.duty.at === "none") seat.duty = { at: "rejoin" };
    }
    // I5: the others do not wait for ever for one that does not come.
    this.#timer ??= setTimeout(() => this.#expelSlow(), this.#options.rebalanceTimeoutMs).unref();
    this.#nudgeAll();
    this.#completeIfAllJoined();
  }

  #expelSlow(): void {
    for (const [member, seat] of this.#seats) {
      if (seat.duty.at !== "rejoin") continue;
      this.#seats.delete(member);
      member.nudge();
    }
    this.#timer = undefined;
    if (this.#seats.size === 0) this.#options.onEmpty();
    else this.#completeIfAllJoined();
  }

  #completeIfAllJoined(): void {
    const seats = [...this.#seats];
    if (seats.length === 0 || seats.some(([, { duty }]) => duty.at !== "wait")) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const assignment = assignRange(
      seats.map(([member, { id }]) => ({ memberId: id, topics: this.#topicsOf(member) })),
      this.#partitionCounts(),
    );
    this.#topicsSeen = this.#describeTopics();
    for (const [, seat] of seats) {
      seat.duty = { at: "take", partitions: assignment.get(seat.id) ?? [] };
    }
    this.#nudgeAll();
  }

  #topicsOf({ topics }: Member): readonly string[] {
    const { catalog } = this.#options;
    if (typeof topics !== "function") return topics;
    // As Kafka's exclude.internal.topics: a pattern never means the log's own topic.
    return catalog.names.filter((name) => name !== offsetsTopic && topics(name));
  }

  #partitionCounts(): Map<string, number> {
    const names = new Set([...this.#seats.keys()].flatMap((member) => this.#topicsOf(member)));
    const counts = [...names].sort().map((name): [string, number] => {
      return [name, this.#options.catalog.get(name)?.partitions.length ?? 0];
    });
    return new Map(counts);
  }

  #describeTopics(): string {
    return JSON.stringify([...this.#partitionCounts()]);
  }

  #nudgeAll(): void {
    for (const member of this.#seats.keys()) member.nudge();
  }
}
