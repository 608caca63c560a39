/** Enters a group, or says that its next generation may begin; answered when everybody has joined. */
import type { Api } from "./api.ts";

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
}

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

export const joinGroup: Api<JoinGroupRequest, JoinGroupResponse> = {
  key: 11,
  name: "JoinGroup",
  versions: { min: 5, max: 5 },
  write(to, request) {
    to.string(request.groupId);
    to.int32(request.sessionTimeoutMs);
    to.int32(request.rebalanceTimeoutMs);
    to.string(request.memberId);
    to.string(request.instanceId);
    to.string(request.protocolType);
    to.array(request.protocols, ({ name, metadata }) => {
      to.string(name);
      to.bytes(metadata);
    });
  },
  read(from) {
    from.int32();
    return {
      errorCode: from.int16(),
      generation: from.int32(),
      protocol: from.string(),
      leaderId: from.string(),
      memberId: from.string(),
      members: from.array(() => ({
        memberId: from.string(),
        instanceId: from.nullableString(),
        metadata: from.bytes(),
      })),
    };
  },
};
