import type { Api } from "./api.ts";

export interface CreateTopicsRequest {
  readonly topics: readonly {
    readonly name: string;
    /** -1 = the cluster's default; so is a replication factor of -1. */
    readonly partitionCount: number;
    readonly replicationFactor: number;
    readonly config: Readonly<Record<string, string>>;
  }[];
  /** How long the controller may take until every topic is known to its brokers. */
  readonly timeoutMs: number;
}

export interface CreateTopicsResponse {
  readonly topics: readonly {
    readonly name: string;
    readonly errorCode: number;
    readonly errorMessage: string | null;
  }[];
}

/** Version 4 is the first in which -1 stands for a default (KIP-464); 5 would be flexible. */
export const createTopics: Api<CreateTopicsRequest, CreateTopicsResponse> = {
  key: 19,
  name: "CreateTopics",
  versions: { min: 4, max: 4 },
  throttle: { from: 3, at: 0 },
  write(to, { topics, timeoutMs }) {
    to.array(topics, ({ name, partitionCount, replicationFactor, config }) => {
      to.string(name);
      to.int32(partitionCount);
      to.int16(replicationFactor);
      // The brokers choose where the replicas go.
      to.array([], () => {});
      to.array(Object.entries(config), ([key, value]) => {
        to.string(key);
        to.string(value);
      });
    });
    to.int32(timeoutMs);
    // Not only a check.
    to.bool(false);
  },
  read(from) {
    from.int32();
    const topics = from.array(() => ({
      name: from.string(),
      errorCode: from.int16(),
      errorMessage: from.nullableString(),
    }));
    return { topics };
  },
};
