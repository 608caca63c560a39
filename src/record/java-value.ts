/**
 * Values as Java would hold them: of which class a value in its place is, what it is apart from its
 * place, and how it looks in another place. A place is a schema or none (null); in its place a value is
 * written as JsonConverter's payload wherever the place tells its class, and is `Tagged` elsewhere.
 */
import { bytesOf, floatingOf } from "./canonical-json.ts";
import { entriesOf } from "./java-string.ts";
import { decodeUnscaled, encodeUnscaled, logicalName, timeMsMax } from "./logical.ts";
import { invalid, scaleOf } from "./payload.ts";
import { hasStringKeys, type Schema } from "./schema.ts";
import {
  type ConnectArray,
  type ConnectObject,
  type ConnectValue,
  type ContentOf,
  Floating,
  type JsonValue,
  Tagged,
  type ValueType,
} from "./value.ts";

const dayMs = 86_400_000;

const logicalTypes: Readonly<Record<string, ValueType>> = {
  [logicalName.decimal]: "decimal",
  [logicalName.date]: "date",
  [logicalName.time]: "date",
  [logicalName.timestamp]: "date",
};

/** The class of values that belong under a schema. */
export function typeUnder(schema: Schema): ValueType {
  if (schema.name !== null) {
    // Connect goes by the name alone, whatever the type is.
    const logical = logicalTypes[schema.name];
    if (logical !== undefined) return logical;
  }
  switch (schema.type) {
    case "float":
      return "float32";
    case "double":
      return "float64";
    case "array":
      return "list";
    default:
      return schema.type;
  }
}

/** The class of a value; null has none. */
export function typeOf(schema: Schema | null, value: ConnectValue): ValueType | null {
  if (value === null) return null;
  if (value instanceof Tagged) return value.type;
  if (schema !== null) return typeUnder(schema);
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "boolean";
  if (typeof value === "number" || typeof value === "bigint") return "int64";
  if (value instanceof Floating) return "float64";
  return Array.isArray(value) ? "list" : "map";
}

const javaNames: Readonly<Record<ValueType, string>> = {
  int8: "java.lang.Byte",
  int16: "java.lang.Short",
  int32: "java.lang.Integer",
  int64: "java.lang.Long",
  float32: "java.lang.Float",
  float64: "java.lang.Double",
  boolean: "java.lang.Boolean",
  string: "java.lang.String",
  bytes: "[B",
  decimal: "java.math.BigDecimal",
  bigint: "java.math.BigInteger",
  date: "java.util.Date",
  list: "java.util.ArrayList",
  map: "java.util.HashMap",
  struct: "org.apache.kafka.connect.data.Struct",
};

/** The name that `getClass().getName()` gives; `null` for null. */
export function javaNameOf(schema: Schema | null, value: ConnectValue): string {
  const type = typeOf(schema, value);
  if (type === null) return "null";
  const held = value instanceof Tagged ? value.content : value;
  return type === "map" && ordered.has(held as object) ? linkedMap : javaNames[type];
}

const linkedMap = "java.util.LinkedHashMap";
const ordered = new WeakSet<object>();

/** Notes that a map, or its pairs, would be in a LinkedHashMap: what a person wrote in an order. */
export function inOrder<T extends object>(map: T): T {
  ordered.add(map);
  return map;
}

/**
 * What a value is, apart from its place. Ask `typeOf` first: the content is of that class.
 * @throws RecordError for a payload that its schema does not allow, as a plugin may send it.
 */
export function contentOf<T extends ValueType>(
  type: T,
  schema: Schema | null,
  value: ConnectValue,
): ContentOf[T];
export function contentOf(
  type: ValueType,
  schema: Schema | null,
  value: ConnectValue,
): ContentOf[ValueType] {
  if (value instanceof Tagged) return value.content;
  switch (type) {
    case "float32":
      return Math.fround(floatingOf(value as JsonValue) ?? 0);
    case "float64":
      return floatingOf(value as JsonValue) ?? 0;
    case "decimal":
      return decimalOf(schema as Schema, value as JsonValue);
    case "date":
      return dateOf(schema as Schema, value as number | bigint);
    case "list":
      return listOf(schema, value as ConnectArray);
    case "map":
      return pairsOf(schema, value);
    case "struct":
      return { schema: schema as Schema, value: value as ConnectObject };
    default:
      return value as ContentOf[ValueType];
  }
}

function decimalOf(schema: Schema, value: JsonValue): ContentOf["decimal"] {
  const unscaled = decodeUnscaled(bytesOf(schema, value));
  if (unscaled === undefined) throw invalid("Invalid bytes for Decimal field");
  return { unscaled, scale: scaleOf(schema) ?? 0 };
}

function dateOf(schema: Schema, value: number | bigint): number | bigint {
  return schema.name === logicalName.date ? Number(value) * dayMs : value;
}

function listOf(schema: Schema | null, value: ConnectArray): ConnectArray {
  const items = schema?.values ?? null;
  return items === null ? value : value.map((item) => moved(items, item, null));
}

function pairsOf(schema: Schema | null, value: ConnectValue): ContentOf["map"] {
  if (schema === null) return [...(value as ConnectObject)];
  const { keys, values } = schema;
  return entriesOf(schema, value as JsonValue).map(([key, item]) => [
    moved(keys, key, null),
    moved(values, item, null),
  ]);
}

/** A value of a class in its place: plain where the place tells its class, tagged elsewhere. */
export function valueIn<T extends ValueType>(
  schema: Schema | null,
  type: T,
  content: ContentOf[T],
): ConnectValue {
  const plain = schema === null ? plainly(type, content) : plainUnder(schema, type, content);
  return plain === undefined ? new Tagged(type, content) : plain;
}

function plainly(type: ValueType, content: ContentOf[ValueType]): ConnectValue | undefined {
  switch (type) {
    case "int64":
    case "boolean":
    case "string":
    case "list":
      return content as ConnectValue;
    case "float64":
      return Floating.of(content as number);
    case "map": {
      const pairs = content as ContentOf["map"];
      if (!pairs.every(([key]) => typeof key === "string")) return undefined;
      return new Map(pairs as readonly [string, ConnectValue][]);
    }
    default:
      return undefined;
  }
}

function plainUnder(
  schema: Schema,
  type: ValueType,
  content: ContentOf[ValueType],
): ConnectValue | undefined {
  if (typeUnder(schema) !== type) return undefined;
  switch (type) {
    case "decimal": {
      const { unscaled, scale } = content as ContentOf["decimal"];
      if (scale !== scaleOf(schema)) return undefined;
      return encodeUnscaled(unscaled).toString("base64");
    }
    case "date":
      return temporalUnder(schema, content as number | bigint);
    case "list":
      return (content as ConnectArray).map((item) => moved(null, item, schema.values));
    case "map":
      return mapUnder(schema, content as ContentOf["map"]);
    case "struct": {
      const struct = content as ContentOf["struct"];
      return sameSchema(struct.schema, schema) ? struct.value : undefined;
    }
    default:
      return content as ConnectValue;
  }
}

function temporalUnder(schema: Schema, ms: number | bigint): ConnectValue | undefined {
  if (schema.name === logicalName.timestamp) return ms;
  const number = Number(ms);
  if (schema.name === logicalName.time) {
    return number >= 0 && number <= timeMsMax ? number : undefined;
  }
  return number % dayMs === 0 ? number / dayMs : undefined;
}

function mapUnder(schema: Schema, pairs: ContentOf["map"]): ConnectValue | undefined {
  const entries = pairs.map(
    ([key, item]) => [moved(null, key, schema.keys), moved(null, item, schema.values)] as const,
  );
  if (!hasStringKeys(schema)) return entries.map(([key, item]) => [key, item]);
  if (!entries.every(([key]) => typeof key === "string")) return undefined;
  return new Map(entries as [string, ConnectValue][]);
}

/** The same Java object in another place. */
export function moved(from: Schema | null, value: ConnectValue, to: Schema | null): ConnectValue {
  if (from === to) return value;
  const type = typeOf(from, value);
  if (type === null) return value;
  if (from !== null && to !== null && sameSchema(from, to)) return value;
  return valueIn(to, type, contentOf(type, from, value));
}

/** Connect's equality of schemas: all of them, documentation too. */
export function sameSchema(one: Schema | null, other: Schema | null): boolean {
  if (one === other) return true;
  if (one === null || other === null) return false;
  return (
    one.type === other.type &&
    one.optional === other.optional &&
    one.name === other.name &&
    one.version === other.version &&
    one.doc === other.doc &&
    sameEntries(one.parameters, other.parameters) &&
    sameValue(one.default, other.default) &&
    sameSchema(one.keys, other.keys) &&
    sameSchema(one.values, other.values) &&
    one.fields.length === other.fields.length &&
    one.fields.every((field, at) => {
      const against = other.fields[at];
      return field.name === against?.name && sameSchema(field.schema, against.schema);
    })
  );
}

function sameEntries(
  one: ReadonlyMap<string, string> | null,
  other: ReadonlyMap<string, string> | null,
): boolean {
  if (one === null || other === null) return one === other;
  return one.size === other.size && [...one].every(([name, text]) => other.get(name) === text);
}

function sameValue(one: JsonValue, other: JsonValue): boolean {
  if (one === other) return true;
  if (one instanceof Floating) return floatingOf(one) === floatingOf(other);
  if (Array.isArray(one)) {
    if (!Array.isArray(other) || one.length !== other.length) return false;
    return one.every((item, at) => sameValue(item, other[at] as JsonValue));
  }
  if (!(one instanceof Map) || !(other instanceof Map) || one.size !== other.size) return false;
  return [...one].every(
    ([name, item]) => other.has(name) && sameValue(item, other.get(name) ?? null),
  );
}
