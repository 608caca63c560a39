/**
 * The converters this version has, by every name that Connect accepts for them, and their own keys.
 * What they do is in src/convert; here is what a config may say about them.
 */
import { keyWith, requiredKey } from "./connector-keys.ts";
import type { CheckedKey, ClassLookup } from "./parse.ts";

/** Where a converter stands in a connector. */
export type ConverterPart = "key" | "value" | "header";

export interface KnownConverter {
  readonly className: string;
  /** As `/connector-plugins` names them. */
  readonly kinds: readonly ("converter" | "header_converter")[];
  readonly aliases: readonly string[];
  readonly keys: readonly CheckedKey[];
}

const converterType = requiredKey(
  {
    name: "converter.type",
    type: "STRING",
    importance: "LOW",
    group: null,
    order: -1,
    width: "NONE",
    displayName: "converter.type",
    documentation: "Where the converter is used: key, value or header. The worker sets it.",
  },
  { validator: { at: "one-of", values: ["key", "value", "header"] } },
);

const stringKeys: readonly CheckedKey[] = [
  converterType,
  keyWith("UTF-8", {
    name: "converter.encoding",
    type: "STRING",
    importance: "HIGH",
    group: null,
    order: -1,
    width: "MEDIUM",
    displayName: "Encoding",
    documentation: "The character set of the bytes.",
  }),
];

const jsonKeys: readonly CheckedKey[] = [
  converterType,
  keyWith("true", {
    name: "schemas.enable",
    type: "BOOLEAN",
    importance: "HIGH",
    group: "Schemas",
    order: 0,
    width: "MEDIUM",
    displayName: "Enable Schemas",
    documentation: "Whether each record carries its schema beside its payload.",
  }),
  keyWith("1000", {
    name: "schemas.cache.size",
    type: "INT",
    importance: "HIGH",
    group: "Schemas",
    order: 1,
    width: "MEDIUM",
    displayName: "Schema Cache Size",
    documentation: "How many schemas are kept in memory in their other form.",
  }),
  keyWith(
    "BASE64",
    {
      name: "decimal.format",
      type: "STRING",
      importance: "LOW",
      group: "Serialization",
      order: 0,
      width: "MEDIUM",
      displayName: "Decimal Format",
      documentation: "How decimals are written: as BASE64 text or as a NUMERIC literal.",
    },
    { validator: { at: "one-of", values: ["NUMERIC", "BASE64"], caseInsensitive: true } },
  ),
  keyWith("true", {
    name: "replace.null.with.default",
    type: "BOOLEAN",
    importance: "LOW",
    group: "Serialization",
    order: 1,
    width: "MEDIUM",
    displayName: "Replace null with default",
    documentation: "Whether a null becomes the default of its schema, where there is one.",
  }),
];

const both = ["converter", "header_converter"] as const;

/** Kafka's own types of a fixed size. */
function fixedConverter(name: string): KnownConverter {
  return {
    className: `org.apache.kafka.connect.converters.${name}Converter`,
    kinds: both,
    aliases: [`${name}Converter`, name],
    keys: [converterType],
  };
}

/** Sorted by class name, as the plugin list is. */
export const knownConverters: readonly KnownConverter[] = [
  fixedConverter("Boolean"),
  {
    className: "org.apache.kafka.connect.converters.ByteArrayConverter",
    kinds: both,
    aliases: ["ByteArrayConverter", "ByteArray"],
    keys: [converterType],
  },
  ...["Double", "Float", "Integer", "Long", "Short"].map(fixedConverter),
  {
    className: "org.apache.kafka.connect.json.JsonConverter",
    kinds: both,
    aliases: ["JsonConverter", "Json"],
    keys: jsonKeys,
  },
  {
    className: "org.apache.kafka.connect.storage.SimpleHeaderConverter",
    kinds: ["header_converter"],
    aliases: ["SimpleHeaderConverter", "Simple"],
    keys: [converterType],
  },
  {
    className: "org.apache.kafka.connect.storage.StringConverter",
    kinds: both,
    aliases: ["StringConverter", "String"],
    keys: stringKeys,
  },
];

/** By full name or alias. */
export function findConverter(name: string): KnownConverter | undefined {
  return knownConverters.find((each) => each.className === name || each.aliases.includes(name));
}

/** The kind of class that this place takes. */
export function kindOf(part: ConverterPart): "converter" | "header_converter" {
  return part === "header" ? "header_converter" : "converter";
}

/** Classes that may stand there. */
export function convertersFor(part: ConverterPart): readonly string[] {
  return knownConverters
    .filter((each) => each.kinds.includes(kindOf(part)))
    .map((each) => each.className);
}

/** For `key.converter`, `value.converter` and `header.converter`. */
export function lookUpConverter(key: string, name: string): ClassLookup {
  const part = key.slice(0, key.indexOf(".")) as ConverterPart;
  const found = findConverter(name);
  if (found === undefined) return { at: "wrong" };
  if (found.kinds.includes(kindOf(part))) return { at: "found", className: found.className };
  const wanted = part === "header" ? "HeaderConverter" : "Converter";
  return {
    at: "wrong",
    message: `Class class ${found.className} does not implement the ${wanted} interface`,
  };
}
