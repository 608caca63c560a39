/** A worker file's properties as a typed config: everything wrong is told at once. */
import { ConfigError, type ConfigProblem } from "../base/error.ts";
import { findConverter, lookUpConverter } from "./converter-keys.ts";
import { type KafkaClients, kafkaClients, withoutPrefix } from "./kafka-clients.ts";
import { type Advertised, type Listener, parseListener } from "./listener.ts";
import { nearestKey } from "./nearest-key.ts";
import { type CheckedValue, checkKeys, invalidValue } from "./parse.ts";
import { unsupported } from "./refusals.ts";
import {
  clusterKeys,
  servedWorkerFamilies,
  unservedWorkerKeys,
  workerKeys,
  workerRefusals,
} from "./worker-keys.ts";

const zeroOrAtLeast = [
  // Less would kill processes that merely had to wait for a CPU.
  { key: "plugin.heartbeat.timeout.ms", zero: "never", min: 500 },
  // Nothing could live in less: it was meant in MiB.
  { key: "plugin.memory.bytes.max", zero: "no limit", min: 1024 * 1024 },
];

/** More unknown keys than that are no slips of the pen. */
const unknownKeysMax = 10;

/** A plugin's name that can be a file's. */
const attachName = /^\w[\w.-]{0,99}$/;

export type Properties = Readonly<Record<string, string>>;

/** A converter with its own settings, their prefix removed. */
export interface ConverterChoice {
  /** The full name. */
  readonly className: string;
  readonly config: Properties;
}

export type ProcessPer = "task" | "connector" | "plugin";
export type RestartPolicy = "none" | "on-failure";

export interface WorkerConfig {
  /** As written; the root decides what `embedded:<folder>` means. */
  readonly bootstrapServers: string;
  readonly keyConverter: ConverterChoice;
  readonly valueConverter: ConverterChoice;
  readonly headerConverter: ConverterChoice;
  readonly taskShutdownGracefulTimeoutMs: number;
  readonly offsetFlushIntervalMs: number;
  readonly offsetFlushTimeoutMs: number;
  readonly topicCreationEnable: boolean;
  readonly topicTrackingEnable: boolean;
  readonly topicTrackingAllowReset: boolean;
  readonly pluginPath: readonly string[];
  readonly listeners: readonly Listener[];
  readonly advertised: Advertised;
  readonly processPer: ProcessPer;
  readonly restartPolicy: RestartPolicy;
  readonly restartDelayMs: number;
  readonly restartDelayMsMax: number;
  /** -1 = no limit. */
  readonly restartAttemptsMax: number;
  readonly restartWindowMs: number;
  readonly restartResetMs: number;
  readonly pluginConnectTimeoutMs: number;
  /** "" = the root decides. */
  readonly pluginCacheDir: string;
  /** Names of plugins that are waited for. */
  readonly pluginAttach: readonly string[];
  /** "" = the root decides. */
  readonly pluginAttachDir: string;
  readonly pluginRequestTimeoutMs: number;
  readonly pluginStartTimeoutMs: number;
  readonly pluginHeartbeatIntervalMs: number;
  /** 0 = never. */
  readonly pluginHeartbeatTimeoutMs: number;
  /** 0 = no limit. */
  readonly pluginMemoryBytesMax: number;
  readonly pluginMessageBytesMax: number;
  readonly pluginWindowBytes: number;
  readonly clients: KafkaClients;
  /** Where a standalone worker over a cluster keeps source offsets; "" = not set. */
  readonly offsetStorageFile: string;
  readonly embedded: EmbeddedConfig;
  readonly logLevel: string;
  readonly logFormat: "auto" | "json" | "pretty";
  /** Sentences about keys that have no effect; for the log at start. */
  readonly warnings: readonly string[];
  /** As read. */
  readonly properties: Properties;
}

export interface EmbeddedConfig {
  readonly partitions: number;
  readonly fsync: "always" | "interval" | "never";
  readonly fsyncIntervalMs: number;
  /** -1 = for ever. */
  readonly retentionMs: number;
  /** -1 = all. */
  readonly retentionBytes: number;
  readonly segmentBytes: number;
}

/** @throws ConfigError with every wrong value; `source` says of what, `the worker config file a.properties`. */
export function parseWorkerConfig(
  properties: Properties,
  source = "the worker config",
): WorkerConfig {
  const checked = checkKeys(workerKeys, properties, { findClass: lookUpConverter });
  const listeners = parseListeners(checked);
  const problems = [
    // A number that cannot be read is also missing for its range: the first error says it all.
    ...[...checked].flatMap(([key, { errors }]) =>
      errors.slice(0, 1).map((message) => ({ key, message })),
    ),
    ...listeners.problems,
    ...otherProblems(checked, properties),
  ];
  if (problems.length > 0) {
    const count = problems.length === 1 ? "one problem" : `${problems.length} problems`;
    throw new ConfigError("config.invalid", `cannot use ${source}: ${count}`, { problems });
  }
  return typed(checked, properties, listeners.listeners);
}

function typed(
  checked: ReadonlyMap<string, CheckedValue>,
  properties: Properties,
  listeners: readonly Listener[],
): WorkerConfig {
  const value = (key: string) => checked.get(key)?.value ?? null;
  const text = (key: string) => String(value(key));
  const optional = (key: string) => (value(key) === null ? undefined : text(key));
  const number = (key: string) => Number(value(key));
  const port = value("rest.advertised.port");
  return {
    bootstrapServers: text("bootstrap.servers"),
    keyConverter: choice("key.converter"),
    valueConverter: choice("value.converter"),
    headerConverter: choice("header.converter"),
    taskShutdownGracefulTimeoutMs: number("task.shutdown.graceful.timeout.ms"),
    offsetFlushIntervalMs: number("offset.flush.interval.ms"),
    offsetFlushTimeoutMs: number("offset.flush.timeout.ms"),
    topicCreationEnable: value("topic.creation.enable") === true,
    topicTrackingEnable: value("topic.tracking.enable") === true,
    topicTrackingAllowReset: value("topic.tracking.allow.reset") === true,
    pluginPath: (value("plugin.path") as readonly string[]).filter((path) => path !== ""),
    listeners,
    advertised: {
      hostName: optional("rest.advertised.host.name"),
      port: port === null ? undefined : Number(port),
      listener: optional("rest.advertised.listener") as Advertised["listener"],
    },
    processPer: text("plugin.process.per") as ProcessPer,
    restartPolicy: text("restart.policy") as RestartPolicy,
    restartDelayMs: number("restart.delay.ms"),
    restartDelayMsMax: number("restart.delay.max.ms"),
    restartAttemptsMax: number("restart.attempts.max"),
    restartWindowMs: number("restart.window.ms"),
    restartResetMs: number("restart.reset.ms"),
    pluginConnectTimeoutMs: number("plugin.connect.timeout.ms"),
    pluginCacheDir: text("plugin.cache.dir").trim(),
    pluginAttach: [...new Set(value("plugin.attach") as readonly string[])].filter(Boolean),
    pluginAttachDir: text("plugin.attach.dir").trim(),
    pluginRequestTimeoutMs: number("plugin.request.timeout.ms"),
    pluginStartTimeoutMs: number("plugin.start.timeout.ms"),
    pluginHeartbeatIntervalMs: number("plugin.heartbeat.interval.ms"),
    pluginHeartbeatTimeoutMs: number("plugin.heartbeat.timeout.ms"),
    pluginMemoryBytesMax: number("plugin.memory.bytes.max"),
    pluginMessageBytesMax: number("plugin.message.bytes.max"),
    pluginWindowBytes: number("plugin.window.bytes"),
    clients: kafkaClients(properties),
    offsetStorageFile: properties["offset.storage.file.filename"]?.trim() ?? "",
    embedded: {
      partitions: number("embedded.partitions"),
      fsync: text("embedded.fsync") as EmbeddedConfig["fsync"],
      fsyncIntervalMs: number("embedded.fsync.interval.ms"),
      retentionMs: number("embedded.retention.ms"),
      retentionBytes: number("embedded.retention.bytes"),
      segmentBytes: number("embedded.segment.bytes"),
    },
    logLevel: text("log.level"),
    logFormat: text("log.format") as WorkerConfig["logFormat"],
    warnings: warningsOf(checked, properties),
    properties,
  };

  function choice(key: string): ConverterChoice {
    return { className: text(key), config: withoutPrefix(properties, `${key}.`) };
  }
}

function parseListeners(checked: ReadonlyMap<string, CheckedValue>): {
  listeners: readonly Listener[];
  problems: ConfigProblem[];
} {
  const entries = checked.get("listeners")?.value;
  const listeners: Listener[] = [];
  const problems: ConfigProblem[] = [];
  const wrong = (entry: string, reason: string) =>
    problems.push({ key: "listeners", message: invalidValue("listeners", entry, reason) });
  for (const entry of Array.isArray(entries) ? entries : []) {
    const parsed = parseListener(entry);
    if (typeof parsed === "string") wrong(entry, parsed);
    else if (parsed.protocol === "https") {
      wrong(entry, `https ${unsupported}: use http behind a proxy that ends TLS`);
    } else listeners.push(parsed);
  }
  if (listeners.length === 0 && problems.length === 0) wrong("", "at least one address is needed");
  return { listeners, problems };
}

function otherProblems(
  checked: ReadonlyMap<string, CheckedValue>,
  properties: Properties,
): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const { key, asks, instead } of workerRefusals) {
    if (asks(properties[key]?.trim() ?? "") && properties[key] !== undefined) {
      problems.push({ key, message: `${key} ${unsupported}: ${instead}` });
    }
  }
  for (const key of ["key.converter", "value.converter", "header.converter"]) {
    problems.push(...converterProblems(key, checked, properties));
  }
  const scheme = properties["rest.advertised.listener"];
  if (scheme !== undefined && scheme !== "http" && scheme !== "https") {
    const reason = "String must be one of: http, https";
    const message = invalidValue("rest.advertised.listener", scheme, reason);
    problems.push({ key: "rest.advertised.listener", message });
  }
  const attached = checked.get("plugin.attach")?.value;
  for (const name of Array.isArray(attached) ? attached : []) {
    if (name === "" || attachName.test(name)) continue;
    const reason = "it names a file too: letters, digits and ._- only, at most 100";
    problems.push({ key: "plugin.attach", message: invalidValue("plugin.attach", name, reason) });
  }
  for (const { key, zero, min } of zeroOrAtLeast) {
    const value = checked.get(key)?.value;
    if (typeof value !== "number" || value <= 0 || value >= min) continue;
    const reason = `Value must be 0 (${zero}) or at least ${min}`;
    problems.push({ key, message: invalidValue(key, String(value), reason) });
  }
  const delayMs = checked.get("restart.delay.ms")?.value;
  const delayMsMax = checked.get("restart.delay.max.ms")?.value;
  if (typeof delayMs === "number" && typeof delayMsMax === "number" && delayMs > delayMsMax) {
    const key = "restart.delay.max.ms";
    const reason = `Value must be at least restart.delay.ms=${delayMs}`;
    problems.push({ key, message: invalidValue(key, String(delayMsMax), reason) });
  }
  return problems;
}

function converterProblems(
  key: string,
  checked: ReadonlyMap<string, CheckedValue>,
  properties: Properties,
): ConfigProblem[] {
  const className = checked.get(key)?.value;
  const converter = typeof className === "string" ? findConverter(className) : undefined;
  if (!converter) return [];
  const own = {
    "converter.type": key.slice(0, key.indexOf(".")),
    ...withoutPrefix(properties, `${key}.`),
  };
  return [...checkKeys(converter.keys, own).values()].flatMap((each) => {
    const name = `${key}.${each.key.name}`;
    return each.errors.map((message) => ({
      key: name,
      message: message.includes(name) ? message : message.replace(each.key.name, name),
    }));
  });
}

function warningsOf(
  checked: ReadonlyMap<string, CheckedValue>,
  properties: Properties,
): readonly string[] {
  const others = Object.keys(properties).filter(
    (key) =>
      !checked.has(key) &&
      !workerRefusals.some((each) => each.key === key) &&
      !matches(servedWorkerFamilies, key),
  );
  const isEmbedded = String(checked.get("bootstrap.servers")?.value).startsWith("embedded:");
  const isUnserved = (key: string) =>
    matches(unservedWorkerKeys, key) || (isEmbedded && matches(clusterKeys, key));
  const unserved = others.filter(isUnserved);
  const unknown = others.filter((key) => !isUnserved(key) && !matches(clusterKeys, key));
  const warnings = unknown.slice(0, unknownKeysMax).map((key) => {
    const meant = nearestKey(key, checked.keys());
    const question = meant === undefined ? "" : `: did you mean ${meant}?`;
    return `the worker config has an unknown key that has no effect: ${key}${question}`;
  });
  if (unknown.length > unknownKeysMax) {
    const more = unknown.length - unknownKeysMax;
    warnings.push(`${more} more keys of the worker config are unknown: is it a worker config?`);
  }
  if (unserved.length > 0) {
    warnings.push(`known, but without effect in this version: ${unserved.join(", ")}`);
  }
  return warnings;
}

function matches(patterns: readonly RegExp[], key: string): boolean {
  return patterns.some((pattern) => pattern.test(key));
}
