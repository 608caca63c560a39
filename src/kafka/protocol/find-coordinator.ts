import type { Api } from "./api.ts";

export interface FindCoordinatorRequest {
  /** A group's id, or a transactional one. */
  readonly id: string;
  readonly kind: "group" | "transaction";
}

export interface FindCoordinatorResponse {
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly node: number;
  readonly host: string;
  readonly port: number;
}

/** Version 1 is the first that knows transactions; 3 would be flexible. */
export const findCoordinator: Api<FindCoordinatorRequest, FindCoordinatorResponse> = {
  key: 10,
  name: "FindCoordinator",
  versions: { min: 1, max: 2 },
  throttle: { from: 2, at: 0 },
  write(to, { id, kind }) {
    to.string(id);
    to.int8(kind === "group" ? 0 : 1);
  },
  read(from) {
    from.int32();
    return {
      errorCode: from.int16(),
      errorMessage: from.nullableString(),
      node: from.int32(),
      host: from.string(),
      port: from.int32(),
    };
  },
};
