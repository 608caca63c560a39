import type { Api } from "./api.ts";

/** Of topics: the only resource that the driver asks about. */
export interface DescribeConfigsRequest {
  readonly topics: readonly string[];
  /** Null: all of them. */
  readonly keys: readonly string[] | null;
}

export interface DescribeConfigsResponse {
  readonly topics: readonly {
    readonly name: string;
    readonly errorCode: number;
    readonly errorMessage: string | null;
    readonly entries: readonly ConfigEntry[];
  }[];
}

export interface ConfigEntry {
  readonly key: string;
  /** Null for what is secret. */
  readonly value: string | null;
  /** Who said so: `configSource`. */
  readonly source: number;
}

/** Where a value comes from (`DescribeConfigsResponse.ConfigSource`). */
export const configSource = { topic: 1, default: 5 } as const;

const topicResource = 2;

export const describeConfigs: Api<DescribeConfigsRequest, DescribeConfigsResponse> = {
  key: 32,
  name: "DescribeConfigs",
  versions: { min: 1, max: 2 },
  throttle: { from: 2, at: 0 },
  write(to, { topics, keys }) {
    to.array(topics, (name) => {
      to.int8(topicResource);
      to.string(name);
      to.array(keys, (key) => to.string(key));
    });
    // No synonyms: the source of the effective value is enough.
    to.bool(false);
  },
  read(from) {
    from.int32();
    const topics = from.array(() => {
      const errorCode = from.int16();
      const errorMessage = from.nullableString();
      from.int8();
      const name = from.string();
      const entries = from.array(() => {
        const key = from.string();
        const value = from.nullableString();
        from.bool();
        const source = from.int8();
        from.bool();
        from.array(() => [from.string(), from.nullableString(), from.int8()]);
        return { key, value, source };
      });
      return { name, errorCode, errorMessage, entries };
    });
    return { topics };
  },
};
