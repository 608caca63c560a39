import { brokerCode, isRetriableCode } from "../broker-error.ts";

/** What a member does about a code that the keeper of its group answered. */
export type GroupReaction =
  | "none"
  /** The same again after a pause. */
  | "later"
  /** Look for the coordinator, then the same again. */
  | "find"
  /** The group begins another generation: give up, join. */
  | "rejoin"
  /** The answer names the id to come back with. */
  | "named"
  /** It was left behind by its group, and what it held may be another's. */
  | "stale"
  /** The same, and its id is worth nothing. */
  | "unknown"
  /** Another one has its `group.instance.id`. */
  | "fenced"
  /** No second try can help. */
  | "fatal";

const reactions: Readonly<Record<number, GroupReaction>> = {
  [brokerCode.none]: "none",
  [brokerCode.coordinatorLoadInProgress]: "later",
  [brokerCode.coordinatorNotAvailable]: "find",
  [brokerCode.notCoordinator]: "find",
  [brokerCode.illegalGeneration]: "stale",
  [brokerCode.unknownMemberId]: "unknown",
  [brokerCode.rebalanceInProgress]: "rejoin",
  [brokerCode.memberIdRequired]: "named",
  [brokerCode.fencedInstanceId]: "fenced",
};

export function reactionTo(code: number): GroupReaction {
  return reactions[code] ?? (isRetriableCode(code) ? "later" : "fatal");
}
