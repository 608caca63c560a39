/**
 * What one member of a group was given so far, and how it tells the others. Pure: whoever runs the work does
 * so from what these functions give back.
 *
 * @see reference: WorkerCoordinator and IncrementalCooperativeConnectProtocol of connect/runtime
 */
import type { GroupAssignment, MemberMetadata } from "./protocol.ts";
import { common, itemsOf, minus, noWork, union, type Work, workIn } from "./work.ts";

export interface Share {
  readonly work: Work;
  /** The newest that was given; null before the first, and after all was lost. */
  readonly given: GroupAssignment | null;
}

/** Of a worker that has just started. */
export const noShare: Share = { work: noWork, given: null };

/** What the member says when it joins, at a level of the protocol. */
export function metadataOf(
  { given, work }: Share,
  member: Pick<MemberMetadata, "version" | "url" | "configOffset">,
): MemberMetadata {
  const { version, url, configOffset } = member;
  const running =
    given === null || version === 0
      ? null
      : { ...given, version, assigned: itemsOf(work), revoked: [], delayMs: 0 };
  return { version, url, configOffset, running };
}

/** A share after a round, and what has to be stopped before anything of it may start. */
export interface Taken {
  readonly share: Share;
  readonly revoked: Work;
}

/** Takes what the leader gave. What it gave nothing because of configs keeps running above level 0. */
export function taken({ work }: Share, given: GroupAssignment): Taken {
  const assigned = workIn(given.assigned);
  if (given.version === 0) {
    return { share: { work: assigned, given }, revoked: minus(work, assigned) };
  }
  const revoked = common(work, workIn(given.revoked));
  return { share: { work: union([minus(work, revoked), assigned]), given }, revoked };
}
