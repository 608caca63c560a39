/** Values as Java's `toString` shows them, which is what StringConverter writes. */
import { bytesOf, floatingOf, pairOf, writePayload, wrongClass } from "./canonical-json.ts";
import { javaDate } from "./java-calendar.ts";
import { javaBytes, javaDouble, javaFloat } from "./java-text.ts";
import { decodeUnscaled, formatDecimal, logicalName } from "./logical.ts";
import { invalid, scaleOf } from "./payload.ts";
import { hasStringKeys, type Schema } from "./schema.ts";
import { Floating, type JsonValue } from "./value.ts";

const strict = { nulls: "keep", numericDecimals: false } as const;
const dayMs = 86_400_000;

/**
 * `Struct{a=1,b=x}`, `{a=1, b=x}`, `[1, 2]`, `1.0`. Nulls in structs are left out, as Java does.
 * @throws RecordError where the value does not fit its schema.
 */
export function javaString(schema: Schema | null, value: JsonValue): string {
  if (value === null) return "null";
  if (schema === null) return schemalessString(value);
  switch (schema.type) {
    case "string":
      if (typeof value !== "string") throw wrongClass(schema, value);
      return value;
    case "float":
    case "double": {
      const number = floatingOf(value);
      if (number === undefined) throw wrongClass(schema, value);
      return schema.type === "float" ? javaFloat(number) : javaDouble(number);
    }
    case "bytes":
      return bytesString(schema, value);
    case "array":
      if (!Array.isArray(value)) throw wrongClass(schema, value);
      return `[${value.map((item) => javaString(schema.values, item)).join(", ")}]`;
    case "map":
      return mapString(schema, value);
    case "struct":
      return structString(schema, value);
    default:
      return temporalOf(schema, value) ?? writePayload(schema, value, strict);
  }
}

function schemalessString(value: JsonValue): string {
  if (value instanceof Floating) return javaDouble(value.value);
  if (Array.isArray(value)) return `[${value.map((item) => javaString(null, item)).join(", ")}]`;
  if (!(value instanceof Map)) return String(value === 0 ? 0 : value);
  const entries = [...value].map(([name, member]) => `${name}=${javaString(null, member)}`);
  return `{${entries.join(", ")}}`;
}

function temporalOf(schema: Schema, value: JsonValue): string | undefined {
  const ms = temporalMs(schema, value);
  return ms === undefined ? undefined : javaDate(ms);
}

/** The moment that a Date, Time or Timestamp stands for; undefined for other schemas. */
export function temporalMs(schema: Schema, value: JsonValue): number | undefined {
  const { name } = schema;
  if (name !== logicalName.date && name !== logicalName.time && name !== logicalName.timestamp) {
    return undefined;
  }
  if (typeof value !== "number" && typeof value !== "bigint") throw wrongClass(schema, value);
  return name === logicalName.date ? Number(value) * dayMs : Number(value);
}

function bytesString(schema: Schema, value: JsonValue): string {
  return schema.name === logicalName.decimal
    ? decimalString(schema, value)
    : javaBytes(bytesOf(schema, value));
}

/** A Decimal's payload as BigDecimal prints it. */
export function decimalString(schema: Schema, value: JsonValue): string {
  const unscaled = decodeUnscaled(bytesOf(schema, value));
  if (unscaled === undefined) throw invalid("Invalid bytes for Decimal field");
  return formatDecimal({ unscaled, scale: scaleOf(schema) ?? 0 });
}

function mapString(schema: Schema, value: JsonValue): string {
  return `{${entriesOf(schema, value)
    .map(([key, item]) => `${javaString(schema.keys, key)}=${javaString(schema.values, item)}`)
    .join(", ")}}`;
}

/** A map's entries, whichever way they are written. @throws RecordError */
export function entriesOf(
  schema: Schema,
  value: JsonValue,
): readonly (readonly [JsonValue, JsonValue])[] {
  if (hasStringKeys(schema)) {
    if (!(value instanceof Map)) throw wrongClass(schema, value);
    return [...value];
  }
  if (!Array.isArray(value)) throw wrongClass(schema, value);
  return value.map((pair) => pairOf(schema, pair));
}

function structString(schema: Schema, value: JsonValue): string {
  if (!(value instanceof Map)) throw wrongClass(schema, value);
  const members: string[] = [];
  for (const field of schema.fields) {
    const member = value.get(field.name) ?? null;
    if (member !== null) members.push(`${field.name}=${javaString(field.schema, member)}`);
  }
  return `Struct{${members.join(",")}}`;
}
