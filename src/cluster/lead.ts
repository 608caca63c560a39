/**
 * One round of a group as its leader does it: from what the members said to what each of them gets, in the
 * level of the protocol that they agreed on. Pure, as `assign` is.
 *
 * @see reference: Connect's EagerAssignor and IncrementalCooperativeAssignor (performAssignment)
 */
import { assign, type LeaderMemory } from "./assign.ts";
import { encodeAssignment, type MemberMetadata } from "./protocol.ts";
import { dealt } from "./spread.ts";
import { itemsOf, noWork, sorted, type Work, workIn } from "./work.ts";

/** The names of the levels in JoinGroup, and the level of each. */
export const protocolLevels = { default: 0, compatible: 1, sessioned: 2 } as const;

export type GroupProtocolName = keyof typeof protocolLevels;

export interface LeadRound {
  readonly protocol: GroupProtocolName;
  readonly leader: { readonly id: string; readonly url: string };
  readonly members: ReadonlyMap<string, MemberMetadata>;
  /** What the leader has read of the config topic. */
  readonly configs: {
    readonly offset: number;
    readonly configured: Work;
    /** It was read for this round, because a member knew more. */
    readonly isFresh: boolean;
  };
  readonly generationBefore: number;
  readonly generation: number;
  readonly nowMs: number;
  readonly delayMsMax: number;
}

export interface Led {
  readonly memory: LeaderMemory;
  /** By member id, as SyncGroup takes them. */
  readonly assignments: ReadonlyMap<string, Uint8Array>;
  /** What each member runs once it has done as it was told; none where nothing may start. */
  readonly owned: ReadonlyMap<string, Work>;
}

/** How far the member that knows most has read: a leader that knows less reads on before it deals out. */
export function newestConfigOffset(members: ReadonlyMap<string, MemberMetadata>): number {
  return Math.max(-1, ...[...members.values()].map(({ configOffset }) => configOffset));
}

/** One round. What the leader remembers is only of use above level 0. */
export function lead(memory: LeaderMemory, round: LeadRound): Led {
  const { configs, members } = round;
  const newest = newestConfigOffset(members);
  if (configs.offset < newest) return mismatch(memory, round, newest);
  const configOffset = configs.isFresh ? configs.offset : newest;
  if (protocolLevels[round.protocol] === 0) return dealAll(memory, round, configOffset);
  const running = new Map(
    [...members].map(([id, member]) => [id, workIn(member.running?.assigned ?? [])]),
  );
  const { configured } = configs;
  const result = assign(memory, { ...round, configured, members: running });
  const assignments = new Map(
    [...result.changes].map(([id, { assigned, revoked }]) => [
      id,
      encoded(round, { configOffset, assigned, revoked, delayMs: result.delayMs }),
    ]),
  );
  return { memory: result.memory, assignments, owned: result.owned };
}

function dealAll(memory: LeaderMemory, round: LeadRound, configOffset: number): Led {
  const owned = dealt([...round.members.keys()], sorted(round.configs.configured));
  const assignments = new Map(
    [...owned].map(([id, assigned]) => [
      id,
      encoded(round, { configOffset, assigned, revoked: noWork, delayMs: 0 }),
    ]),
  );
  return { memory, assignments, owned };
}

/** Everybody reads on and joins again; what runs goes on. */
function mismatch(memory: LeaderMemory, round: LeadRound, configOffset: number): Led {
  const nothing = { configOffset, assigned: noWork, revoked: noWork, delayMs: 0 };
  const bytes = encoded(round, nothing, "config-mismatch");
  const assignments = new Map([...round.members.keys()].map((id) => [id, bytes]));
  return { memory, assignments, owned: new Map() };
}

function encoded(
  { protocol, leader }: LeadRound,
  given: {
    readonly configOffset: number;
    readonly assigned: Work;
    readonly revoked: Work;
    readonly delayMs: number;
  },
  error: "none" | "config-mismatch" = "none",
): Uint8Array {
  return encodeAssignment({
    version: protocolLevels[protocol],
    error,
    leader: leader.id,
    leaderUrl: leader.url,
    configOffset: given.configOffset,
    assigned: itemsOf(given.assigned),
    revoked: itemsOf(given.revoked),
    delayMs: given.delayMs,
  });
}
