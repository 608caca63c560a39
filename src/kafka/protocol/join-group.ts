/** Enters a group, or says that its next generation may begin; answered when everybody has joined. */
import type { Api } from "./api.ts";
import type { WireReader } from "./wire-reader.ts";

export interface JoinGroupRequest {
  readonly groupId: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  /** "" for a new member: the answer is then MEMBER_ID_REQUIRED and the id to come back with. */
  readonly memberId: string;
  /** `group.instance.id`. */
  readonly instanceId: string | null;
  readonly protocolType: string;
  /** The preferred one first; the group takes one that all of its members know. */
  readonly protocols: readonly GroupProtocol[];
  /** For the broker's log; left out before version 8. */
  readonly reason?: string | null;
}

const flexibleFrom = 6;

/** What a member offers: the bytes are of the protocol type and nobody else reads them. */
export interface GroupProtocol {
  readonly name: string;
  readonly metadata: Uint8Array;
}

export interface JoinGroupResponse {
  readonly errorCode: number;
  readonly generation: number;
  readonly protocol: string;
  readonly leaderId: string;
  /**
   * The shares of this generation are dealt out: the leader came back under its instance id. Before
   * version 9 such a one is not told that it leads.
   */
  readonly isDealt: boolean;
  readonly memberId: string;
  /** Empty for all but the leader. */
  readonly members: readonly JoinedMember[];
}

/** `metadata` is of the protocol that was chosen. */
export interface JoinedMember {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly metadata: Uint8Array;
}

/** Version 5 is the first with an instance id; 9 tells a leader that came back from one that is new. */
export const joinGroup: Api<JoinGroupRequest, JoinGroupResponse> = {
  key: 11,
  name: "JoinGroup",
  versions: { min: 5, max: 9 },
  throttle: { from: 3, at: 0 },
  flexibleFrom,
  write(to, request, version) {
    const isFlexible = version >= flexibleFrom;
    const text = (value: string | null) =>
      isFlexible ? to.compactString(value) : to.string(value);
    text(request.groupId);
    to.int32(request.sessionTimeoutMs);
    to.int32(request.rebalanceTimeoutMs);
    text(request.memberId);
    text(request.instanceId);
    text(request.protocolType);
    const protocol = ({ name, metadata }: GroupProtocol) => {
      text(name);
      if (!isFlexible) return to.bytes(metadata);
      to.compactBytes(metadata);
      to.noTags();
    };
    if (!isFlexible) return to.array(request.protocols, protocol);
    to.compactArray(request.protocols, protocol);
    if (version >= 8) text(request.reason ?? null);
    to.noTags();
  },
  read(from, version) {
    const isFlexible = version >= flexibleFrom;
    const text = () => (isFlexible ? from.compactString() : from.string());
    from.int32();
    const errorCode = from.int16();
    const generation = from.int32();
    // The protocol type is what was asked for.
    if (version >= 7) text();
    const protocol = text();
    const leaderId = text();
    const isDealt = version >= 9 && from.bool();
    const memberId = text();
    const members = isFlexible
      ? from.compactArray(() => readFlexibleMember(from))
      : from.array(() => readMember(from));
    if (isFlexible) from.skipTags();
    return { errorCode, generation, protocol, leaderId, isDealt, memberId, members };
  },
};

function readMember(from: WireReader): JoinedMember {
  const memberId = from.string();
  const instanceId = from.nullableString();
  return { memberId, instanceId, metadata: from.bytes() };
}

function readFlexibleMember(from: WireReader): JoinedMember {
  const memberId = from.compactString();
  const instanceId = from.compactNullableString();
  const metadata = from.compactNullableBytes() ?? new Uint8Array();
  from.skipTags();
  return { memberId, instanceId, metadata };
}
