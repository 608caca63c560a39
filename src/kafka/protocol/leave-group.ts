/** Takes a member out of its group at once, instead of when its session ends. */
import type { Api } from "./api.ts";

export interface LeaveGroupRequest {
  readonly groupId: string;
  readonly memberId: string;
  readonly instanceId: string | null;
}

export interface LeaveGroupResponse {
  /** Of the group, or else of the member. */
  readonly errorCode: number;
}

export const leaveGroup: Api<LeaveGroupRequest, LeaveGroupResponse> = {
  key: 13,
  name: "LeaveGroup",
  versions: { min: 3, max: 3 },
  throttle: { from: 2, at: 0 },
  write(to, { groupId, memberId, instanceId }) {
    to.string(groupId);
    to.array([memberId], () => {
      to.string(memberId);
      to.string(instanceId);
    });
  },
  read(from) {
    from.int32();
    const errorCode = from.int16();
    const ofMembers = from.array(() => {
      from.string();
      from.nullableString();
      return from.int16();
    });
    return { errorCode: errorCode !== 0 ? errorCode : (ofMembers[0] ?? 0) };
  },
};
