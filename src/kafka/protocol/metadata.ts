import type { Api } from "./api.ts";

export interface MetadataRequest {
  /** Null asks about every topic, an empty list about the brokers only. */
  readonly topics: readonly string[] | null;
  /** Lets the cluster make topics that are missing, where its own settings allow that. */
  readonly create: boolean;
}

export interface MetadataResponse {
  readonly brokers: readonly {
    readonly node: number;
    readonly host: string;
    readonly port: number;
  }[];
  readonly clusterId: string | null;
  /** -1 while there is none. */
  readonly controller: number;
  readonly topics: readonly TopicMetadata[];
}

/** What a cluster says of one topic; a topic that is missing fails only itself. */
export interface TopicMetadata {
  readonly errorCode: number;
  readonly name: string;
  readonly isInternal: boolean;
  readonly partitions: readonly {
    readonly errorCode: number;
    readonly partition: number;
    /** -1 while there is none. */
    readonly leader: number;
    readonly leaderEpoch: number;
  }[];
}

/** Version 4 is the first that need not create what is asked about; 7 tells leader epochs. */
export const metadata: Api<MetadataRequest, MetadataResponse> = {
  key: 3,
  name: "Metadata",
  versions: { min: 4, max: 7 },
  throttle: { from: 6, at: 0 },
  write(to, { topics, create }) {
    to.array(topics, (topic) => to.string(topic));
    to.bool(create);
  },
  read(from, version) {
    from.int32();
    const brokers = from.array(() => {
      const broker = { node: from.int32(), host: from.string(), port: from.int32() };
      from.nullableString();
      return broker;
    });
    const clusterId = from.nullableString();
    const controller = from.int32();
    const nodes = () => from.array(() => from.int32());
    const topics = from.array(() => ({
      errorCode: from.int16(),
      name: from.string(),
      isInternal: from.bool(),
      partitions: from.array(() => {
        const partition = {
          errorCode: from.int16(),
          partition: from.int32(),
          leader: from.int32(),
          leaderEpoch: version >= 7 ? from.int32() : -1,
        };
        // Replicas, those in sync and, from version 5 on, those that are down.
        nodes();
        nodes();
        if (version >= 5) nodes();
        return partition;
      }),
    }));
    return { brokers, clusterId, controller, topics };
  },
};
