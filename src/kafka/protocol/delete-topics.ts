import type { Api } from "./api.ts";

export interface DeleteTopicsRequest {
  readonly names: readonly string[];
  readonly timeoutMs: number;
}

export interface DeleteTopicsResponse {
  readonly topics: readonly { readonly name: string; readonly errorCode: number }[];
}

export const deleteTopics: Api<DeleteTopicsRequest, DeleteTopicsResponse> = {
  key: 20,
  name: "DeleteTopics",
  versions: { min: 1, max: 3 },
  throttle: { from: 2, at: 0 },
  write(to, { names, timeoutMs }) {
    to.array(names, (name) => to.string(name));
    to.int32(timeoutMs);
  },
  read(from) {
    from.int32();
    return { topics: from.array(() => ({ name: from.string(), errorCode: from.int16() })) };
  },
};
