/**
 * The keys that every connector has, in Connect's order, with its types, defaults, groups and
 * display names: clients build forms from them. The documentation is ours.
 */
import { JavaPattern } from "../base/java-pattern.ts";
import type { ConfigKey } from "./config-def.ts";
import type { CheckedKey, ParsedValue } from "./parse.ts";

type Shape = Pick<ConfigKey, "name" | "type" | "importance" | "group" | "order" | "width"> &
  Pick<ConfigKey, "displayName" | "documentation">;

type Extra = Partial<Pick<CheckedKey, "validator" | "check">>;

/** A key that has a default; null is one as well. */
export function keyWith(defaultValue: string | null, shape: Shape, extra: Extra = {}): CheckedKey {
  return { required: false, defaultValue, dependents: [], validator: null, ...shape, ...extra };
}

/** A key that must be given. */
export function requiredKey(shape: Shape, extra: Extra = {}): CheckedKey {
  return { ...keyWith(null, shape, extra), required: true };
}

const common = { group: "Common" } as const;
const errorHandling = { group: "Error Handling", importance: "MEDIUM" } as const;

/** Keys of sources and sinks alike. */
export const commonKeys: readonly CheckedKey[] = [
  requiredKey(
    {
      name: "name",
      type: "STRING",
      importance: "HIGH",
      ...common,
      order: 1,
      width: "MEDIUM",
      displayName: "Connector name",
      documentation: "The name of the connector, unique on this worker or cluster.",
    },
    { check: wrongName },
  ),
  requiredKey({
    name: "connector.class",
    type: "STRING",
    importance: "HIGH",
    ...common,
    order: 2,
    width: "LONG",
    displayName: "Connector class",
    documentation:
      "The class of the connector: its full name, its simple name, or the simple name without " +
      "'Connector' at the end.",
  }),
  keyWith(null, {
    name: "connector.plugin.version",
    type: "STRING",
    importance: "MEDIUM",
    ...common,
    order: 3,
    width: "MEDIUM",
    displayName: "Connector version",
    documentation:
      "The version of the connector's plugin: 'latest', one version, or a range such as [1.0,2.0).",
  }),
  keyWith(
    "1",
    {
      name: "tasks.max",
      type: "INT",
      importance: "HIGH",
      ...common,
      order: 4,
      width: "SHORT",
      displayName: "Tasks max",
      documentation: "How many tasks the connector may have at most.",
    },
    { validator: { at: "range", min: 1 } },
  ),
  keyWith("true", {
    name: "tasks.max.enforce",
    type: "BOOLEAN",
    importance: "LOW",
    ...common,
    order: 5,
    width: "SHORT",
    displayName: "Enforce tasks max",
    documentation:
      "Deprecated. Whether a connector that makes more tasks than tasks.max fails (true) or only " +
      "causes a warning (false).",
  }),
  ...converterKeys("key", 6, "turns record keys into bytes and back"),
  ...converterKeys("value", 8, "turns record values into bytes and back"),
  ...converterKeys("header", 10, "turns header values into bytes and back"),
  keyWith(
    "",
    {
      name: "transforms",
      type: "LIST",
      importance: "LOW",
      group: "Transforms",
      order: 12,
      width: "LONG",
      displayName: "Transforms",
      documentation: "Names of the transformations that each record goes through, in order.",
    },
    { check: wrongAliases },
  ),
  keyWith(
    "",
    {
      name: "predicates",
      type: "LIST",
      importance: "LOW",
      group: "Predicates",
      order: 13,
      width: "LONG",
      displayName: "Predicates",
      documentation: "Names of the predicates that transformations refer to.",
    },
    { check: wrongAliases },
  ),
  keyWith(
    "restart",
    {
      name: "config.action.reload",
      type: "STRING",
      importance: "LOW",
      ...common,
      order: 14,
      width: "MEDIUM",
      displayName: "Reload Action",
      documentation:
        "What to do when a value that came from a config provider changes: 'restart' the connector, " +
        "or 'none'.",
    },
    { validator: { at: "one-of", values: ["none", "restart"] } },
  ),
  keyWith("0", {
    name: "errors.retry.timeout",
    type: "LONG",
    ...errorHandling,
    order: 1,
    width: "MEDIUM",
    displayName: "Retry Timeout for Errors",
    documentation:
      "For how many milliseconds a failed operation is tried again; 0 = not at all, -1 = for ever.",
  }),
  keyWith("60000", {
    name: "errors.retry.delay.max.ms",
    type: "LONG",
    ...errorHandling,
    order: 2,
    width: "MEDIUM",
    displayName: "Maximum Delay Between Retries for Errors",
    documentation: "The longest pause between two tries, in milliseconds.",
  }),
  keyWith(
    "none",
    {
      name: "errors.tolerance",
      type: "STRING",
      ...errorHandling,
      order: 3,
      width: "SHORT",
      displayName: "Error Tolerance",
      documentation:
        "'none': a record that cannot be handled fails its task. 'all': such records are skipped.",
    },
    { validator: { at: "one-of", values: ["none", "all"] } },
  ),
  keyWith("false", {
    name: "errors.log.enable",
    type: "BOOLEAN",
    ...errorHandling,
    order: 4,
    width: "SHORT",
    displayName: "Log Errors",
    documentation: "Whether each failed operation is written to the log, also a tolerated one.",
  }),
  keyWith("false", {
    name: "errors.log.include.messages",
    type: "BOOLEAN",
    ...errorHandling,
    order: 5,
    width: "SHORT",
    displayName: "Log Error Details",
    documentation: "Whether such log lines say which record failed (topic, partition, offset).",
  }),
];

/** Keys of sinks, after the common ones. */
export const sinkKeys: readonly CheckedKey[] = [
  keyWith("", {
    name: "topics",
    type: "LIST",
    importance: "HIGH",
    ...common,
    order: 4,
    width: "LONG",
    displayName: "Topics",
    documentation: "The topics to read, separated by commas.",
  }),
  keyWith(
    "",
    {
      name: "topics.regex",
      type: "STRING",
      importance: "HIGH",
      ...common,
      order: 4,
      width: "LONG",
      displayName: "Topics regex",
      documentation: "Reads every topic whose whole name matches; instead of topics.",
    },
    { check: wrongRegex },
  ),
  keyWith("", {
    name: "errors.deadletterqueue.topic.name",
    type: "STRING",
    ...errorHandling,
    order: 6,
    width: "MEDIUM",
    displayName: "Dead Letter Queue Topic Name",
    documentation: "Where records that failed are written; empty = nowhere.",
  }),
  keyWith("3", {
    name: "errors.deadletterqueue.topic.replication.factor",
    type: "SHORT",
    ...errorHandling,
    order: 7,
    width: "MEDIUM",
    displayName: "Dead Letter Queue Topic Replication Factor",
    documentation: "The replication factor of that topic where it does not exist yet.",
  }),
  keyWith("false", {
    name: "errors.deadletterqueue.context.headers.enable",
    type: "BOOLEAN",
    ...errorHandling,
    order: 8,
    width: "MEDIUM",
    displayName: "Enable Error Context Headers",
    documentation: "Whether such records get headers that say what failed and where.",
  }),
];

const exactlyOnce = { group: "Exactly Once Support" } as const;

/** Keys of sources, after the common ones. */
export const sourceKeys: readonly CheckedKey[] = [
  keyWith(
    "",
    {
      name: "topic.creation.groups",
      type: "LIST",
      importance: "LOW",
      group: "Topic Creation",
      order: 1,
      width: "LONG",
      displayName: "Topic Creation Groups",
      documentation: "Names of the groups of settings for topics that the connector creates.",
    },
    { check: wrongAliases },
  ),
  keyWith(
    "requested",
    {
      name: "exactly.once.support",
      type: "STRING",
      importance: "MEDIUM",
      ...exactlyOnce,
      order: 2,
      width: "SHORT",
      displayName: "Exactly once support",
      documentation:
        "'required': the connector is refused where exactly-once cannot be promised. 'requested': " +
        "that is not checked.",
    },
    { validator: { at: "one-of", values: ["REQUIRED", "REQUESTED"], caseInsensitive: true } },
  ),
  keyWith(
    "poll",
    {
      name: "transaction.boundary",
      type: "STRING",
      importance: "MEDIUM",
      ...exactlyOnce,
      order: 3,
      width: "SHORT",
      displayName: "Transaction Boundary",
      documentation:
        "Where a transaction of an exactly-once source ends: after each 'poll', after an " +
        "'interval', or where the 'connector' says.",
    },
    {
      validator: {
        at: "one-of",
        values: ["INTERVAL", "POLL", "CONNECTOR"],
        caseInsensitive: true,
      },
    },
  ),
  keyWith(
    null,
    {
      name: "transaction.boundary.interval.ms",
      type: "LONG",
      importance: "LOW",
      ...exactlyOnce,
      order: 4,
      width: "SHORT",
      displayName: "Transaction boundary interval",
      documentation:
        "How long a transaction lasts with transaction.boundary=interval, in milliseconds.",
    },
    { check: (value) => (isBelow(value, 0) ? "Value must be at least 0" : undefined) },
  ),
  keyWith(
    null,
    {
      name: "offsets.storage.topic",
      type: "STRING",
      importance: "LOW",
      group: "offsets.topic",
      order: 1,
      width: "LONG",
      displayName: "Offsets topic",
      documentation: "A topic of its own for the connector's source offsets.",
    },
    { validator: { at: "non-empty" } },
  ),
];

/** What Connect calls the connector's own keys: common ones, then those of its kind. */
export function connectorKeys(kind: "source" | "sink"): readonly CheckedKey[] {
  return [...commonKeys, ...(kind === "source" ? sourceKeys : sinkKeys)];
}

function converterKeys(part: "key" | "value" | "header", order: number, does: string) {
  const title = part[0]!.toUpperCase() + part.slice(1);
  const at = { importance: "LOW", ...common, width: "SHORT" } as const;
  return [
    keyWith(null, {
      name: `${part}.converter`,
      type: "CLASS",
      ...at,
      order,
      displayName: `${title} converter class`,
      documentation: `The class that ${does}; where it is not set, the worker's.`,
    }),
    keyWith(null, {
      name: `${part}.converter.plugin.version`,
      type: "STRING",
      ...at,
      order: order + 1,
      displayName: `${title} converter version`,
      documentation: `The version of the ${part} converter.`,
    }),
  ];
}

function wrongName(value: ParsedValue): string | undefined {
  if (typeof value !== "string") return undefined;
  if (value === "") return "String may not be empty";
  const controls = [...value].map((c) => c.codePointAt(0) ?? 0).filter(isControl);
  if (controls.length === 0) return undefined;
  return `String may not contain control sequences but had the following ASCII chars: ${controls.join(", ")}`;
}

function isControl(code: number): boolean {
  return code <= 0x1f || (code >= 0x7f && code <= 0x9f);
}

function wrongAliases(value: ParsedValue): string | undefined {
  if (!Array.isArray(value)) return "entry must be non null";
  return new Set(value).size < value.length ? "Duplicate alias provided." : undefined;
}

function wrongRegex(value: ParsedValue): string | undefined {
  if (typeof value !== "string") return undefined;
  try {
    new JavaPattern(value);
    return undefined;
  } catch (error) {
    return `Invalid regex: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function isBelow(value: ParsedValue, min: number): boolean {
  return (typeof value === "number" || typeof value === "bigint") && value < min;
}
