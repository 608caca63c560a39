import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../observe/logger.ts";
import type { Transport } from "../calls.ts";
import type { ClientConfig } from "../kafka.ts";
import type { GroupProtocol, JoinedMember } from "../protocol/join-group.ts";
import type { GroupTiming } from "./group-timing.ts";

export interface GroupMemberOptions {
  readonly transport: Transport;
  readonly clientId: string;
  readonly config?: ClientConfig;
  readonly groupId: string;
  readonly protocolType: string;
  /** `group.instance.id`: comes back to its place within the session time-out instead of leaving. */
  readonly instanceId: string | null;
  readonly timing: GroupTiming;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** What it offers, the preferred one first; asked at every join. */
  offer(): Promise<readonly GroupProtocol[]>;
  /**
   * The group has elected this member: deals out, by member id. With `isDealt` it led before and came
   * back to its place; the shares stay, and what is dealt out is not looked at.
   */
  assign(
    protocol: string,
    members: readonly JoinedMember[],
    isDealt: boolean,
  ): Promise<ReadonlyMap<string, Uint8Array>>;
  /** The state may be another now. */
  onChange(): void;
  /** It has left for good, and its connections are closed. */
  onLeft?(): void;
}
