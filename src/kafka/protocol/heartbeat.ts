/** Says that a member lives, and hears whether its group rebalances. */
import type { Api } from "./api.ts";

export interface HeartbeatRequest {
  readonly groupId: string;
  readonly generation: number;
  readonly memberId: string;
  readonly instanceId: string | null;
}

export interface HeartbeatResponse {
  readonly errorCode: number;
}

export const heartbeat: Api<HeartbeatRequest, HeartbeatResponse> = {
  key: 12,
  name: "Heartbeat",
  versions: { min: 3, max: 3 },
  throttle: { from: 2, at: 0 },
  write(to, { groupId, generation, memberId, instanceId }) {
    to.string(groupId);
    to.int32(generation);
    to.string(memberId);
    to.string(instanceId);
  },
  read(from) {
    from.int32();
    return { errorCode: from.int16() };
  },
};
