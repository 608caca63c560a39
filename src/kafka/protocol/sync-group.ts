/** Fetches what the leader of a generation gave a member; the leader brings it along. */
import type { Api } from "./api.ts";

export interface SyncGroupRequest {
  readonly groupId: string;
  readonly generation: number;
  readonly memberId: string;
  readonly instanceId: string | null;
  /** Empty from all but the leader. */
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Uint8Array }[];
}

export interface SyncGroupResponse {
  readonly errorCode: number;
  readonly assignment: Uint8Array;
}

export const syncGroup: Api<SyncGroupRequest, SyncGroupResponse> = {
  key: 14,
  name: "SyncGroup",
  versions: { min: 3, max: 3 },
  throttle: { from: 2, at: 0 },
  write(to, { groupId, generation, memberId, instanceId, assignments }) {
    to.string(groupId);
    to.int32(generation);
    to.string(memberId);
    to.string(instanceId);
    to.array(assignments, (each) => {
      to.string(each.memberId);
      to.bytes(each.assignment);
    });
  },
  read(from) {
    from.int32();
    return { errorCode: from.int16(), assignment: from.bytes() };
  },
};
