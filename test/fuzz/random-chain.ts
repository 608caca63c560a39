/** Random chains: any transforms with any settings, each perhaps behind a predicate. */
import type { TouchedPart } from "../../src/transform/transform.ts";
import type { Choice } from "./random-choice.ts";

/** Few, so that settings and records meet. */
export const fieldNames = ["a", "b", "c", "id", "a.b", "s"];

/** The prefix of Connect's own logical types. */
export const logical = "org.apache.kafka.connect.data.";

/** One transform of a chain: its settings and those of its predicate, without prefix. */
export interface RandomStep {
  readonly settings: ReadonlyMap<string, string>;
  readonly predicate: ReadonlyMap<string, string> | undefined;
}

const suffixes = { key: "$Key", value: "$Value" } as const;

/** The parts that transforms may touch, if they may touch all. */
export const everyPart: readonly TouchedPart[] = ["key", "value", "headers"];

/** A step that touches nothing but these parts. Not all of its settings need to be in order. */
export function randomStep(
  choice: Choice,
  touchable: readonly TouchedPart[],
  predicateShare: number,
): RandomStep {
  const may = (part: TouchedPart) => touchable.includes(part);
  const halves = (["key", "value", "value"] as const).filter(may);
  const fitting = transforms.filter(([, touches]) =>
    touches.every((part) => (part === "part" ? halves.length > 0 : may(part))),
  );
  const [name, touches, given] = choice.pick(fitting);
  const half = touches.includes("part") ? suffixes[choice.pick(halves)] : "";
  const settings = new Map([["type", `org.apache.kafka.connect.transforms.${name}${half}`]]);
  addSettings(choice, settings, given);
  if (!choice.chance(predicateShare)) return { settings, predicate: undefined };
  if (choice.chance(0.3)) settings.set("negate", "true");
  return { settings, predicate: randomPredicate(choice, may) };
}

/** The chain's part of a connector's config. */
export function chainConfig(steps: readonly RandomStep[]): Record<string, string> {
  const aliases = steps.map((_, at) => `t${at}`);
  const config: Record<string, string> = { transforms: aliases.join(",") };
  const predicates = steps.flatMap(({ predicate }, at) => (predicate ? [`p${at}`] : []));
  if (predicates.length > 0) config["predicates"] = predicates.join(",");
  steps.forEach(({ settings, predicate }, at) => {
    for (const [key, value] of settings) config[`transforms.t${at}.${key}`] = value;
    if (predicate === undefined) return;
    config[`transforms.t${at}.predicate`] = `p${at}`;
    for (const [key, value] of predicate) config[`predicates.p${at}.${key}`] = value;
  });
  return config;
}

function addSettings(
  choice: Choice,
  settings: Map<string, string>,
  given: Readonly<Record<string, readonly string[] | string>>,
): void {
  for (const [key, values] of Object.entries(given)) {
    // A key in capitals may be left out.
    if (key !== key.toLowerCase() && choice.chance(0.5)) continue;
    if (choice.chance(0.02)) continue;
    const value = typeof values === "string" ? randomList(choice, values) : choice.pick(values);
    settings.set(key.toLowerCase(), value);
  }
  if (choice.chance(0.2)) settings.set("replace.null.with.default", "false");
}

function randomList(choice: Choice, form: string): string {
  const more = choice.chance(0.9) ? [choice.pick(fieldNames)] : [];
  const items = choice.some(fieldNames, 3).concat(more);
  const types = ["int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string"];
  if (form === "casts" && choice.chance(0.3)) return choice.pick(types);
  if (form === "casts") return items.map((each) => `${each}:${choice.pick(types)}`).join(",");
  if (form === "renames") {
    return items.map((each) => `${each}:${choice.pick(fieldNames)}`).join(",");
  }
  return items.join(",");
}

function randomPredicate(
  choice: Choice,
  may: (part: TouchedPart) => boolean,
): ReadonlyMap<string, string> {
  const kinds = ["TopicNameMatches"];
  if (may("headers")) kinds.push("HasHeaderKey");
  if (may("value")) kinds.push("RecordIsTombstone");
  const kind = choice.pick(kinds);
  const settings = new Map([["type", `org.apache.kafka.connect.transforms.predicates.${kind}`]]);
  if (kind === "HasHeaderKey") settings.set("name", choice.pick(["h", "i", ""]));
  if (kind === "TopicNameMatches") settings.set("pattern", choice.pick(patterns));
  return settings;
}

const patterns = ["orders", "o.*", "(.*)-(.*)", "(?i)X", "[a-c&&b].*", "(", "(.+)+z"];

/**
 * Name, what it touches ("part": key or value, which its class says), and settings: what they may be, or
 * which kind of list. Those with capitals are optional.
 */
const transforms: readonly (readonly [
  string,
  readonly (TouchedPart | "part")[],
  Readonly<Record<string, readonly string[] | string>>,
])[] = [
  ["Cast", ["part"], { spec: "casts" }],
  ["DropHeaders", ["headers"], { headers: ["h", "h,i", "", "x"] }],
  [
    "ExtractField",
    ["part"],
    {
      field: [...fieldNames, "a.b.c", "`a.b`", "a.`b", "a."],
      "FIELD.syntax.version": ["V1", "V2"],
    },
  ],
  ["Filter", [], {}],
  ["Flatten", ["part"], { DELIMITER: [".", "_", ""] }],
  [
    "HeaderFrom",
    ["part", "headers"],
    {
      fields: ["a", "a,b", "b,id", "c", "a.b", "s,s"],
      headers: ["h", "h,i", "x,x"],
      operation: ["move", "copy"],
    },
  ],
  ["HoistField", ["part"], { field: fieldNames }],
  [
    "InsertField",
    ["part"],
    {
      "TOPIC.field": ["t", "t!", "a"],
      "PARTITION.field": ["p", "p!", "p?"],
      "OFFSET.field": ["o", "o!"],
      "TIMESTAMP.field": ["ts", "ts!"],
      "STATIC.field": ["st", "b"],
      "STATIC.value": ["v"],
    },
  ],
  [
    "InsertHeader",
    ["headers"],
    {
      header: ["h", "new", ""],
      "value.literal": [
        "5",
        "x",
        "",
        "1.5",
        "[1,2]",
        '{"a":1}',
        "2020-01-02",
        "null",
        "12:00:00.000Z",
      ],
    },
  ],
  [
    "MaskField",
    ["part"],
    {
      fields: "names",
      REPLACEMENT: ["5", "x", "3.99", "-1", "1e30", "300", "", "99999999999999999999"],
    },
  ],
  [
    "RegexRouter",
    [],
    { regex: patterns, replacement: ["y", "$1", "$2-$1", "$0", "\\$", "$", "$" + "{n}"] },
  ],
  ["ReplaceField", ["part"], { EXCLUDE: "names", INCLUDE: "names", RENAMES: "renames" }],
  [
    "SetSchemaMetadata",
    ["part"],
    { "SCHEMA.name": ["new.Name", "", `${logical}Date`], "SCHEMA.version": ["3", "x"] },
  ],
  [
    "TimestampConverter",
    ["part"],
    {
      FIELD: fieldNames,
      "target.type": ["string", "unix", "Date", "Time", "Timestamp", "x"],
      FORMAT: ["yyyy-MM-dd", "yyyy-MM-dd HH:mm:ss.SSS", "b"],
      "UNIX.precision": ["seconds", "milliseconds", "microseconds", "nanoseconds"],
    },
  ],
  [
    "TimestampRouter",
    [],
    {
      "TOPIC.format": ["$" + "{topic}-$" + "{timestamp}", "x"],
      "TIMESTAMP.format": ["yyyyMMdd", "HH", "b"],
    },
  ],
  ["ValueToKey", ["key", "value"], { fields: "names" }],
];
