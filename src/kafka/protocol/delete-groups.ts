import type { Api } from "./api.ts";

export interface DeleteGroupsRequest {
  readonly groupIds: readonly string[];
}

export interface DeleteGroupsResponse {
  readonly groups: readonly { readonly groupId: string; readonly errorCode: number }[];
}

export const deleteGroups: Api<DeleteGroupsRequest, DeleteGroupsResponse> = {
  key: 42,
  name: "DeleteGroups",
  versions: { min: 0, max: 1 },
  throttle: { from: 1, at: 0 },
  write(to, { groupIds }) {
    to.array(groupIds, (groupId) => to.string(groupId));
  },
  read(from) {
    from.int32();
    return { groups: from.array(() => ({ groupId: from.string(), errorCode: from.int16() })) };
  },
};
