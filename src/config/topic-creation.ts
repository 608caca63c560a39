/**
 * The groups of settings for topics that a source's tasks make (`topic.creation.*`), as Connect reads
 * them: when the connector starts, not when its config is validated.
 */
import { ConfigError } from "../base/error.ts";
import { JavaPattern } from "../base/java-pattern.ts";
import { keyWith, requiredKey } from "./connector-keys.ts";
import {
  brokenBy,
  type CheckedKey,
  type ParsedValue,
  parseValue,
  type SubmittedConfig,
} from "./parse.ts";

/** What topics are made with whose names fit. */
export interface TopicGroup {
  readonly name: string;
  /** -1 = the cluster's default. */
  readonly partitionCount: number;
  /** -1 = the cluster's default. */
  readonly replicationFactor: number;
  /** Settings of the topic, as given. */
  readonly config: Readonly<Record<string, string>>;
  /** @throws RecordError for a pattern that takes too long */
  matches(topic: string): boolean;
}

const family = "topic.creation.";
const groupsKey = `${family}groups`;
const defaultGroup = "default";

/**
 * In the order in which they are tried; the last is the default group, which takes every topic.
 * Undefined where topics are left to the log: the worker forbids it, or the connector has no such key.
 * @throws ConfigError with Connect's text about the first wrong value
 */
export function topicGroups(
  config: SubmittedConfig,
  isAllowed: boolean,
  warn: (text: string) => void = () => {},
): readonly TopicGroup[] | undefined {
  if (!isAllowed || !Object.keys(config).some((key) => key.startsWith(family))) return undefined;
  const list = parseValue(groupsList, config[groupsKey] ?? "");
  const listed = new Set(list.at === "value" && Array.isArray(list.value) ? list.value : []);
  if (listed.delete(defaultGroup)) {
    const text = "topic creation group always exists and does not need to be listed explicitly";
    warn(`'${defaultGroup}' ${text}`);
  }
  const last = readGroup(defaultGroup, defaultKeys, config);
  const keys = keysOfGroup(last.replicationFactor, last.partitionCount);
  return [...[...listed].map((name) => readGroup(name, keys, config)), last];
}

/** The group that makes this topic. @throws RecordError for a pattern that takes too long */
export function groupFor(groups: readonly TopicGroup[], topic: string): TopicGroup {
  const [last] = groups.slice(-1);
  const found = groups.find((group) => group.matches(topic)) ?? last;
  if (found === undefined) throw new Error("there is no default group");
  return found;
}

interface GroupKeys {
  /** Undefined for the default group, where they have no effect. */
  readonly include: CheckedKey | undefined;
  readonly exclude: CheckedKey | undefined;
  readonly replicationFactor: CheckedKey;
  readonly partitions: CheckedKey;
}

const shape = {
  importance: "LOW",
  group: "Topic Creation",
  order: 0,
  width: "LONG",
  documentation: "",
} as const;
const groupsList = { name: groupsKey, type: "LIST" } as const;
const replicationFactor = {
  ...shape,
  name: "replication.factor",
  type: "SHORT",
  displayName: "Replication Factor",
} as const;
const partitions = {
  ...shape,
  name: "partitions",
  type: "INT",
  displayName: "Partition Count",
} as const;
const include = { ...shape, name: "include", type: "LIST", displayName: "Inclusion" } as const;
const exclude = { ...shape, name: "exclude", type: "LIST", displayName: "Exclusion" } as const;

const orDefault = "or -1 to use the broker's default";
const checkReplication = {
  check: positive(
    `Replication factor must be positive and not larger than the number of brokers in the Kafka cluster, ${orDefault}`,
  ),
};
const checkPartitions = {
  check: positive(`Number of partitions must be positive, ${orDefault}`),
};

const defaultKeys: GroupKeys = {
  include: undefined,
  exclude: undefined,
  replicationFactor: requiredKey(replicationFactor, checkReplication),
  partitions: requiredKey(partitions, checkPartitions),
};

/** What the default group says holds where another says nothing. */
function keysOfGroup(factor: number, count: number): GroupKeys {
  return {
    include: keyWith("", include, { check: wrongPatterns }),
    exclude: keyWith("", exclude, { check: wrongPatterns }),
    replicationFactor: keyWith(String(factor), replicationFactor, checkReplication),
    partitions: keyWith(String(count), partitions, checkPartitions),
  };
}

/** In Connect's order, since the first wrong value is the one that is told. */
function readGroup(name: string, keys: GroupKeys, config: SubmittedConfig): TopicGroup {
  const prefix = `${family}${name}.`;
  const included = keys.include && anyOf(read(keys.include, prefix, config));
  const excluded = keys.exclude && anyOf(read(keys.exclude, prefix, config));
  const factor = read(keys.replicationFactor, prefix, config);
  const count = read(keys.partitions, prefix, config);
  return {
    name,
    replicationFactor: Number(factor),
    partitionCount: Number(count),
    config: topicConfig(prefix, config),
    matches: (topic) => !(excluded?.matches(topic) ?? false) && (included?.matches(topic) ?? true),
  };
}

/** @throws ConfigError */
function read(key: CheckedKey, prefix: string, config: SubmittedConfig): ParsedValue {
  const name = prefix + key.name;
  const isGiven = Object.hasOwn(config, name);
  if (!isGiven && key.required) {
    throw wrong(name, `Missing required configuration "${name}" which has no default value.`);
  }
  const text = isGiven ? (config[name] ?? null) : key.defaultValue;
  const parsed = parseValue({ name, type: key.type }, text);
  if (parsed.at === "wrong") throw wrong(name, parsed.message);
  // The prefix is missing here in Connect too; the hint says the whole key.
  const broken = brokenBy(key, parsed.value, key.name);
  if (broken !== undefined) throw wrong(name, broken);
  return parsed.value;
}

/** Fits what any of the patterns fits; none fit only the empty name, as in Connect. */
function anyOf(patterns: ParsedValue): JavaPattern {
  return new JavaPattern(Array.isArray(patterns) ? patterns.join("|") : "");
}

const ownNames = new Set([
  include.name,
  exclude.name,
  replicationFactor.name,
  partitions.name,
] as readonly string[]);

function topicConfig(prefix: string, config: SubmittedConfig): Record<string, string> {
  const entries: [string, string][] = [];
  for (const [key, value] of Object.entries(config)) {
    const name = key.slice(prefix.length);
    if (value === null || !key.startsWith(prefix) || name === "" || ownNames.has(name)) continue;
    entries.push([name, value]);
  }
  return Object.fromEntries(entries);
}

function positive(reason: string): (value: ParsedValue) => string | undefined {
  return (value) =>
    typeof value === "number" && (value >= 1 || value === -1) ? undefined : reason;
}

function wrongPatterns(value: ParsedValue): string | undefined {
  for (const pattern of Array.isArray(value) ? value : []) {
    try {
      new JavaPattern(pattern);
    } catch (error) {
      return `Syntax error in regular expression: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  return undefined;
}

function wrong(key: string, message: string): ConfigError {
  return new ConfigError("config.invalid", message, {
    problems: [{ key, message }],
    hint: `correct ${key} in the connector's config`,
    javaClass: "org.apache.kafka.common.config.ConfigException",
  });
}
