import type { TopicPartition } from "../kafka.ts";
import { type Assignor, inOrder, type Reader, type Sharing } from "./assignor.ts";

/**
 * Everybody keeps what it has as far as the shares stay even, and what changes hands is given to
 * nobody until its old reader has come back without it.
 */
export const cooperativeStickyAssignor: Assignor = {
  name: "cooperative-sticky",
  javaClass: "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
  isCooperative: true,
  assign(readers, partitionCounts) {
    return withoutTransfers(readers, assignSticky(readers, partitionCounts));
  },
};

/** A member while partitions are dealt out. */
interface Seat {
  readonly memberId: string;
  readonly topics: ReadonlySet<string>;
  readonly partitions: Map<string, TopicPartition>;
  /** What it had before. */
  readonly before: ReadonlySet<string>;
}

/** Even, and with as few changes of hands as that allows. */
export function assignSticky(
  readers: readonly Reader[],
  partitionCounts: ReadonlyMap<string, number>,
): Sharing {
  const owners = rightfulOwners(readers);
  const seats = inOrder(readers).map((reader): Seat => {
    const { memberId } = reader;
    const mine = reader.owned.map(keyOf).filter((key) => owners.get(key) === memberId);
    const topics = new Set(reader.topics);
    return { memberId, topics, partitions: new Map(), before: new Set(mine) };
  });
  const byId = new Map(seats.map((seat) => [seat.memberId, seat]));
  const free: TopicPartition[] = [];
  for (const place of everyPartition(partitionCounts)) {
    const owner = byId.get(owners.get(keyOf(place)) ?? "");
    if (owner?.topics.has(place.topic)) owner.partitions.set(keyOf(place), place);
    else free.push(place);
  }
  for (const { place, wanting } of hardestFirst(free, seats)) {
    lightest(wanting)?.partitions.set(keyOf(place), place);
  }
  even(seats);
  return new Map(seats.map((seat) => [seat.memberId, [...seat.partitions.values()].sort(byPlace)]));
}

/** Moves single partitions from who has more to who has less by two at least, until there is none. */
function even(seats: readonly Seat[]): void {
  for (;;) {
    const byLoad = [...seats].sort((a, b) => a.partitions.size - b.partitions.size);
    if (!byLoad.some((light) => takeFromHeaviest(light, byLoad))) return;
  }
}

/** The sum of the squares of the loads falls with each move, so there is an end of it. */
function takeFromHeaviest(light: Seat, byLoad: readonly Seat[]): boolean {
  for (let n = byLoad.length - 1; n >= 0; n -= 1) {
    const heavy = byLoad[n]!;
    if (heavy.partitions.size < light.partitions.size + 2) return false;
    const key = bestToMove(heavy, light);
    const place = key === undefined ? undefined : heavy.partitions.get(key);
    if (key === undefined || place === undefined) continue;
    heavy.partitions.delete(key);
    light.partitions.set(key, place);
    return true;
  }
  return false;
}

/** Back to who had it, or what the giver did not have before, or else the last. */
function bestToMove(from: Seat, to: Seat): string | undefined {
  let best: string | undefined;
  let bestRank = -1;
  for (const [key, { topic }] of from.partitions) {
    if (!to.topics.has(topic)) continue;
    const rank = to.before.has(key) ? 2 : from.before.has(key) ? 0 : 1;
    if (rank < bestRank) continue;
    best = key;
    bestRank = rank;
  }
  return best;
}

/** Who has it by the newest assignment; nobody where two say so of the same generation. */
function rightfulOwners(readers: readonly Reader[]): ReadonlyMap<string, string> {
  const claims = new Map<string, { memberId: string; generation: number }>();
  for (const { memberId, owned, generation } of readers) {
    for (const key of owned.map(keyOf)) {
      const other = claims.get(key);
      if (other === undefined || other.generation < generation) {
        claims.set(key, { memberId, generation });
      } else if (other.generation === generation) other.memberId = "";
    }
  }
  return new Map([...claims].map(([key, { memberId }]) => [key, memberId]));
}

/** Leaves out what one member gets while another still reads it. */
function withoutTransfers(readers: readonly Reader[], sharing: Sharing): Sharing {
  const owners = new Map<string, Set<string>>();
  for (const { memberId, owned } of readers) {
    for (const key of owned.map(keyOf)) {
      owners.set(key, (owners.get(key) ?? new Set()).add(memberId));
    }
  }
  const isFree = (memberId: string, place: TopicPartition) => {
    const who = owners.get(keyOf(place));
    return who === undefined || who.has(memberId);
  };
  return new Map(
    [...sharing].map(([memberId, places]) => [
      memberId,
      places.filter((place) => isFree(memberId, place)),
    ]),
  );
}

/** What few want is given away first: else those few may be left with moves of what others read. */
function hardestFirst(free: readonly TopicPartition[], seats: readonly Seat[]) {
  return free
    .map((place) => ({ place, wanting: seats.filter(({ topics }) => topics.has(place.topic)) }))
    .sort((a, b) => a.wanting.length - b.wanting.length || byPlace(a.place, b.place));
}

/** Among equals whoever has less to choose from. */
function lightest(seats: readonly Seat[]): Seat | undefined {
  let found = seats[0];
  for (const seat of seats) {
    if (found === undefined) continue;
    const difference = seat.partitions.size - found.partitions.size;
    if (difference < 0 || (difference === 0 && seat.topics.size < found.topics.size)) found = seat;
  }
  return found;
}

function everyPartition(partitionCounts: ReadonlyMap<string, number>): TopicPartition[] {
  const places = [...partitionCounts].flatMap(([topic, count]) =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  );
  return places.sort(byPlace);
}

function byPlace(a: TopicPartition, b: TopicPartition): number {
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1;
  return a.partition - b.partition;
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
