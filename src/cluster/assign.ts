/**
 * How a leader spreads connectors and tasks over the workers of its group, round by round: what runs stays
 * where it is as long as it can (incremental cooperative rebalancing, protocol levels 1 and 2). Pure: what a
 * leader has to remember goes in and comes out.
 *
 * @see reference: KIP-415, KIP-891; Connect's IncrementalCooperativeAssignor
 */
import { spread } from "./spread.ts";
import { surplus } from "./surplus.ts";
import { common, isEmpty, minus, noWork, repeated, sorted, union, type Work } from "./work.ts";

/** What a leader knows of the rounds before; another leader begins with `newLeader`. */
export interface LeaderMemory {
  /** What was given out, and what was lost and waits. */
  readonly assigned: Work;
  readonly revoked: Work;
  /** The round before took something away to balance the load. */
  readonly hasRevoked: boolean;
  readonly revocationsInRow: number;
  /** Workers that had nothing while something was lost: they are the first to get it. */
  readonly candidates: readonly string[];
  /** When what was lost is given to others, or the load is balanced again; 0 = not planned. */
  readonly rebalanceAtMs: number;
  readonly generation: number;
  readonly members: readonly string[];
}

export const newLeader: LeaderMemory = {
  assigned: noWork,
  revoked: noWork,
  hasRevoked: false,
  revocationsInRow: 0,
  candidates: [],
  rebalanceAtMs: 0,
  generation: -1,
  members: [],
};

export interface Round {
  /** All connectors and their tasks. */
  readonly configured: Work;
  /** What each worker says that it runs, by its id in the group. */
  readonly members: ReadonlyMap<string, Work>;
  /** The last one whose assignments this worker, as its leader, has seen given out. */
  readonly generationBefore: number;
  readonly generation: number;
  readonly nowMs: number;
  /** `scheduled.rebalance.max.delay.ms` */
  readonly delayMsMax: number;
}

export interface RoundResult {
  readonly memory: LeaderMemory;
  /** For each worker what it shall run beside what it runs, and what it shall stop. */
  readonly changes: ReadonlyMap<string, { readonly assigned: Work; readonly revoked: Work }>;
  /** What each worker runs once it has done so: where requests are forwarded to. */
  readonly owned: ReadonlyMap<string, Work>;
  /** Until the next round; 0 = none is planned. */
  readonly delayMs: number;
}

/** One round. There is at least one member. */
export function assign(given: LeaderMemory, round: Round): RoundResult {
  return new Assigning(given, round).result();
}

class Assigning {
  readonly #round: Round;
  #memory: LeaderMemory;
  #delayMs = 0;
  /** By worker. */
  readonly #next: Map<string, Work>;
  readonly #revoked: Map<string, Work>;

  constructor(given: LeaderMemory, round: Round) {
    this.#round = round;
    this.#memory = given;
    const none = [...round.members.keys()].map((id): [string, Work] => [id, noWork]);
    this.#next = new Map(none);
    this.#revoked = new Map(none);
  }

  result(): RoundResult {
    const { configured, members, generation } = this.#round;
    const active = union(members.values());
    const before = this.#before(active);
    const deleted = minus(before, configured);
    const lost = sorted(minus(before, active, deleted));
    const created = minus(configured, before, active);
    this.#leaveOut(deleted);
    const lostNow = this.#reassigned(lost);
    this.#balance(configured);
    const next = spread(this.#next, sorted(union([created, lostNow])));
    const revoked = union(this.#revoked.values());
    const owned = new Map([...next].map(([id, work]) => [id, minus(work, revoked)]));
    const memory = {
      ...this.#memory,
      assigned: union([...owned.values(), lost]),
      revoked,
      generation,
      members: [...members.keys()],
    };
    return { memory, changes: this.#changes(next, deleted), owned, delayMs: this.#delayMs };
  }

  /** What was given out before this round, as far as it is known to have arrived. */
  #before(active: Work): Work {
    const { assigned, revoked, generation } = this.#memory;
    // A round was led by somebody else, or nobody got its assignments.
    const known = generation === this.#round.generationBefore ? assigned : noWork;
    // What was to be stopped still runs: somebody has not heard of the last round.
    return isEmpty(common(revoked, active)) ? known : active;
  }

  /** What is no more, and what runs twice: everybody stops that, and one gets it in the next round. */
  #leaveOut(deleted: Work): void {
    const twice = repeated(this.#round.members.values());
    for (const [id, running] of this.#round.members) {
      const stopped = common(running, union([deleted, twice]));
      this.#revoked.set(id, stopped);
      this.#next.set(id, minus(running, stopped));
    }
  }

  /** What of the lost is given out now; the rest waits for the workers that had it. */
  #reassigned(lost: Work): Work {
    const { nowMs, delayMsMax } = this.#round;
    const { hasRevoked, rebalanceAtMs, members } = this.#memory;
    if (isEmpty(lost) && !hasRevoked) {
      this.#endDelay();
      return noWork;
    }
    const isComplete = members.every((id) => this.#next.has(id));
    // Nobody has left, so somebody has not heard of the last round; or nobody is waited for.
    if ((rebalanceAtMs <= 0 && isComplete) || delayMsMax === 0) return lost;
    if (rebalanceAtMs > 0 && nowMs >= rebalanceAtMs) return this.#afterDelay(lost);
    const idle = [...this.#next].filter(([, work]) => isEmpty(work)).map(([id]) => id);
    const candidates = [...new Set([...this.#memory.candidates, ...idle])];
    this.#delayMs =
      nowMs < rebalanceAtMs ? Math.min(rebalanceAtMs - nowMs, delayMsMax) : delayMsMax;
    this.#memory = { ...this.#memory, candidates, rebalanceAtMs: nowMs + this.#delayMs };
    return noWork;
  }

  /** To those that had nothing: one of them is probably the one that was away, under a new id. */
  #afterDelay(lost: Work): Work {
    const candidates = this.#memory.candidates.filter((id) => this.#next.has(id));
    this.#endDelay();
    this.#memory = { ...this.#memory, hasRevoked: false };
    if (candidates.length === 0) return lost;
    const nth = (index: number) => candidates[index % candidates.length] as string;
    lost.connectors.forEach((connector, index) => {
      this.#give(nth(index), { connectors: [connector], tasks: [] });
    });
    lost.tasks.forEach((task, index) => {
      this.#give(nth(index), { connectors: [], tasks: [task] });
    });
    return noWork;
  }

  #give(id: string, work: Work): void {
    this.#next.set(id, union([this.#next.get(id) ?? noWork, work]));
  }

  #endDelay(): void {
    this.#delayMs = 0;
    this.#memory = { ...this.#memory, candidates: [], rebalanceAtMs: 0 };
  }

  /** Takes from those that have more than their share, unless somebody is waited for. */
  #balance(configured: Work): void {
    if (this.#delayMs !== 0) {
      this.#memory = { ...this.#memory, hasRevoked: false };
      return;
    }
    const wanted = surplus(this.#next, configured);
    if (wanted.size === 0) {
      if (this.#memory.hasRevoked) {
        this.#memory = { ...this.#memory, hasRevoked: false, revocationsInRow: 0 };
      }
      return;
    }
    if (this.#memory.hasRevoked) {
      const revocationsInRow = this.#memory.revocationsInRow + 1;
      this.#memory = { ...this.#memory, revocationsInRow };
      this.#delayMs = pauseMs(revocationsInRow, this.#round.delayMsMax);
      if (this.#delayMs !== 0) {
        const rebalanceAtMs = this.#round.nowMs + this.#delayMs;
        this.#memory = { ...this.#memory, rebalanceAtMs };
        return;
      }
    }
    for (const [id, work] of wanted) {
      this.#revoked.set(id, union([this.#revoked.get(id) ?? noWork, work]));
      this.#next.set(id, minus(this.#next.get(id) ?? noWork, work));
    }
    this.#memory = { ...this.#memory, hasRevoked: true };
  }

  #changes(next: ReadonlyMap<string, Work>, deleted: Work): RoundResult["changes"] {
    return new Map(
      [...next].map(([id, work]) => {
        const current = minus(this.#round.members.get(id) ?? noWork, deleted);
        return [id, { assigned: minus(work, current), revoked: this.#revoked.get(id) ?? noWork }];
      }),
    );
  }
}

/** Rounds that take away one after the other come ever more slowly: 40 ms, 1.6 s, 64 s, … (KIP-891). */
function pauseMs(revocationsInRow: number, delayMsMax: number): number {
  return Math.min(delayMsMax, 40 ** revocationsInRow);
}
