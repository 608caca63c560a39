/** What a producer's config says, under Java's names and with the defaults of Kafka 4.1. */
import { ConfigError, type ConfigProblem } from "../../base/error.ts";
import { type Compression, compressionOf } from "../../batch/compression.ts";
import type { ConfigType, Validator } from "../../config/config-def.ts";
import { type CheckedKey, checkKeys } from "../../config/parse.ts";
import type { ClientConfig } from "../kafka.ts";

export interface ProducerSettings {
  readonly acks: -1 | 0 | 1;
  readonly isIdempotent: boolean;
  readonly lingerMs: number;
  readonly batchBytesMax: number;
  readonly bufferBytesMax: number;
  readonly requestBytesMax: number;
  /** Requests in flight to one broker. */
  readonly inFlightMax: number;
  /** Undefined = none. */
  readonly compression: Compression | undefined;
  readonly deliveryMsMax: number;
  /** How long records wait for a topic that does not exist (`max.block.ms`). */
  readonly topicWaitMsMax: number;
  readonly requestTimeoutMs: number;
  readonly retriesMax: number;
  readonly retryBackoffMs: number;
  readonly retryBackoffMsMax: number;
  readonly mapAgeMsMax: number;
  readonly ignoresKeys: boolean;
}

const intMax = 2_147_483_647;
const atLeast = (min: number): Validator => ({ at: "range", min });
const within = (min: number, max: number): Validator => ({ at: "range", min, max });

const keys: readonly CheckedKey[] = [
  key("acks", "STRING", "all", { at: "one-of", values: ["all", "-1", "0", "1"] }),
  key("enable.idempotence", "BOOLEAN", "true"),
  key("linger.ms", "LONG", "5", atLeast(0)),
  key("batch.size", "INT", "16384", atLeast(0)),
  key("buffer.memory", "LONG", "33554432", atLeast(0)),
  key("max.request.size", "INT", "1048576", atLeast(0)),
  key("max.in.flight.requests.per.connection", "INT", "5", atLeast(1)),
  key("delivery.timeout.ms", "INT", "120000", atLeast(0)),
  key("max.block.ms", "LONG", "60000", atLeast(0)),
  key("request.timeout.ms", "INT", "30000", atLeast(0)),
  key("retries", "INT", String(intMax), within(0, intMax)),
  key("retry.backoff.ms", "LONG", "100", atLeast(0)),
  key("retry.backoff.max.ms", "LONG", "1000", atLeast(0)),
  key("metadata.max.age.ms", "LONG", "300000", atLeast(0)),
  key("partitioner.ignore.keys", "BOOLEAN", "false"),
  refused("partitioner.class", "records go to partitions by Kafka's default partitioner here"),
  refused("interceptor.classes", "there are no interceptors here"),
];

/**
 * @throws ConfigError `config.invalid` with the keys that cannot be used; TaskError
 *   `batch.codec_missing`
 */
export function producerSettings(config: ClientConfig = {}): ProducerSettings {
  const checked = checkKeys(keys, config);
  const problems: ConfigProblem[] = [];
  for (const { key, errors } of checked.values()) {
    // As a client says it; the second, if any, is that null is no value.
    const [message] = errors;
    if (message !== undefined) problems.push({ key: key.name, message });
  }
  if (problems.length > 0) throw invalid(problems);
  const value = (name: string) => checked.get(name)?.value;
  // A LONG beyond what a double holds exactly means "for ever" here as there.
  const number = (name: string) => Number(value(name));
  const acks = value("acks");
  const settings: ProducerSettings = {
    acks: acks === "0" ? 0 : acks === "1" ? 1 : -1,
    isIdempotent: value("enable.idempotence") === true,
    lingerMs: number("linger.ms"),
    batchBytesMax: number("batch.size"),
    bufferBytesMax: number("buffer.memory"),
    requestBytesMax: number("max.request.size"),
    inFlightMax: number("max.in.flight.requests.per.connection"),
    compression: compressionOf(config),
    deliveryMsMax: number("delivery.timeout.ms"),
    topicWaitMsMax: number("max.block.ms"),
    requestTimeoutMs: number("request.timeout.ms"),
    retriesMax: number("retries"),
    retryBackoffMs: number("retry.backoff.ms"),
    retryBackoffMsMax: Math.max(number("retry.backoff.ms"), number("retry.backoff.max.ms")),
    mapAgeMsMax: number("metadata.max.age.ms"),
    ignoresKeys: value("partitioner.ignore.keys") === true,
  };
  return together(settings, config);
}

/** Rules between keys, with Java's sentences. */
function together(settings: ProducerSettings, config: ClientConfig): ProducerSettings {
  const { lingerMs, requestTimeoutMs, deliveryMsMax } = settings;
  const conflicts = idempotenceConflicts(settings);
  const isWanted = config["enable.idempotence"] !== undefined;
  if (settings.isIdempotent && isWanted && conflicts.length > 0) throw invalid(conflicts);
  const deliveryMsMin = Math.min(intMax, lingerMs + requestTimeoutMs);
  if (deliveryMsMax < deliveryMsMin && config["delivery.timeout.ms"] !== undefined) {
    const message =
      "delivery.timeout.ms should be equal to or larger than linger.ms + request.timeout.ms";
    throw invalid([{ key: "delivery.timeout.ms", message }]);
  }
  return {
    ...settings,
    // As in Java, idempotence by default gives way to what was asked for.
    isIdempotent: settings.isIdempotent && conflicts.length === 0,
    deliveryMsMax: Math.max(deliveryMsMax, deliveryMsMin),
  };
}

function idempotenceConflicts(settings: ProducerSettings): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (settings.acks !== -1) {
    const message =
      "Must set acks to all in order to use the idempotent producer. " +
      "Otherwise we cannot guarantee idempotence.";
    problems.push({ key: "acks", message });
  }
  if (settings.retriesMax === 0) {
    const message = "Must set retries to non-zero when using the idempotent producer.";
    problems.push({ key: "retries", message });
  }
  if (settings.inFlightMax > 5) {
    const name = "max.in.flight.requests.per.connection";
    const message = `Must set ${name} to at most 5 to use the idempotent producer.`;
    problems.push({ key: name, message });
  }
  return problems;
}

function key(
  name: string,
  type: ConfigType,
  defaultValue: string,
  validator: Validator | null = null,
): CheckedKey {
  return {
    name,
    type,
    required: false,
    defaultValue,
    importance: "MEDIUM",
    documentation: "",
    group: null,
    order: -1,
    width: "MEDIUM",
    displayName: name,
    dependents: [],
    validator,
  };
}

/** Ignoring it would write other data than was asked for. */
function refused(name: string, why: string): CheckedKey {
  const check = (value: unknown) => (value === "" ? undefined : `${why}; leave the key out`);
  return { ...key(name, "STRING", ""), check };
}

function invalid(problems: readonly ConfigProblem[]): ConfigError {
  return new ConfigError("config.invalid", problems.map(({ message }) => message).join("; "), {
    problems,
  });
}
