/** What a consumer's config says about fetching, under Java's names and with Java's defaults. */
import { wholeNumber, wrongKey } from "../connection/client-config.ts";
import type { ClientConfig } from "../kafka.ts";

export type OffsetReset = "earliest" | "latest" | "none";

export interface FetchSettings {
  readonly minBytes: number;
  /** I5: of what is fetched and not handed out yet, all brokers together. */
  readonly bytesMax: number;
  readonly partitionBytesMax: number;
  readonly waitMsMax: number;
  readonly requestTimeoutMs: number;
  readonly retryBackoffMs: number;
  readonly retryBackoffMsMax: number;
}

/** @throws ConfigError `config.invalid` that names the key */
export function fetchSettings(config: ClientConfig = {}): FetchSettings {
  const number = (key: string, otherwise: number) => wholeNumber(config, key, otherwise);
  const retryBackoffMs = number("retry.backoff.ms", 100);
  return {
    minBytes: number("fetch.min.bytes", 1),
    bytesMax: number("fetch.max.bytes", 52_428_800),
    partitionBytesMax: number("max.partition.fetch.bytes", 1_048_576),
    waitMsMax: number("fetch.max.wait.ms", 500),
    requestTimeoutMs: number("request.timeout.ms", 30_000),
    retryBackoffMs,
    retryBackoffMsMax: Math.max(retryBackoffMs, number("retry.backoff.max.ms", 1_000)),
  };
}

/** `isolation.level`. @throws ConfigError `config.invalid` */
export function readsCommitted(config: ClientConfig = {}): boolean {
  const level = config["isolation.level"] ?? "read_uncommitted";
  if (level === "read_committed" || level === "read_uncommitted") return level === "read_committed";
  throw wrongKey(
    "isolation.level",
    `${JSON.stringify(level)} is not read_committed or read_uncommitted`,
  );
}

/** `auto.offset.reset`; undefined when it is not set. @throws ConfigError `config.invalid` */
export function offsetReset(config: ClientConfig = {}): OffsetReset | undefined {
  const policy = config["auto.offset.reset"]?.toLowerCase();
  switch (policy) {
    case undefined:
    case "earliest":
    case "latest":
    case "none":
      return policy;
    default:
      throw wrongKey(
        "auto.offset.reset",
        `${JSON.stringify(policy)} is not earliest, latest or none`,
      );
  }
}
