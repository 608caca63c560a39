/** Kafka's client keys that concern connections, with Java's names, defaults and bounds. */
import { ConfigError } from "../../base/error.ts";
import type { ClientConfig } from "../kafka.ts";

export interface ConnectionConfig {
  readonly requestTimeoutMs: number;
  readonly setupTimeoutMs: number;
  readonly setupTimeoutMsMax: number;
  readonly reconnectBackoffMs: number;
  readonly reconnectBackoffMsMax: number;
  readonly retryBackoffMs: number;
  readonly metadataAgeMsMax: number;
  readonly idleMsMax: number;
  /** How long the first broker is waited for. */
  readonly apiTimeoutMs: number;
}

/** @throws ConfigError naming the key of a value that is no number or too small */
export function parseConnectionConfig(config: ClientConfig): ConnectionConfig {
  return {
    requestTimeoutMs: wholeNumber(config, "request.timeout.ms", 30_000, 1),
    setupTimeoutMs: wholeNumber(config, "socket.connection.setup.timeout.ms", 10_000, 1),
    setupTimeoutMsMax: wholeNumber(config, "socket.connection.setup.timeout.max.ms", 30_000, 1),
    reconnectBackoffMs: wholeNumber(config, "reconnect.backoff.ms", 50),
    reconnectBackoffMsMax: wholeNumber(config, "reconnect.backoff.max.ms", 1_000),
    retryBackoffMs: wholeNumber(config, "retry.backoff.ms", 100),
    metadataAgeMsMax: wholeNumber(config, "metadata.max.age.ms", 300_000, 1),
    idleMsMax: wholeNumber(config, "connections.max.idle.ms", 540_000, -1),
    apiTimeoutMs: wholeNumber(config, "default.api.timeout.ms", 60_000),
  };
}

/** Java's int, the widest these keys take; a timer cannot wait longer either. */
const intMax = 2_147_483_647;

/** @throws ConfigError naming the key when its value is no whole number of at least `min` */
export function wholeNumber(config: ClientConfig, key: string, otherwise: number, min = 0): number {
  const text = config[key]?.trim();
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (/^-?\d+$/.test(text) && value >= min && value <= intMax) return value;
  throw wrongKey(key, `${JSON.stringify(text)} is no whole number of at least ${min}`);
}

/** One key of a client that cannot be used; `why` must not hold a secret. */
export function wrongKey(key: string, why: string, hint?: string): ConfigError {
  return new ConfigError("config.invalid", `cannot use ${key}: ${why}`, {
    problems: [{ key, message: why }],
    ...(hint !== undefined && { hint }),
  });
}
