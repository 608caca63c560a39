/**
 * Writes a value under its schema exactly as Jackson writes JsonConverter's payloads: struct fields
 * in the schema's order, `1.0`, `1.0E10`, no blanks, `\uD83D\uDE00` outside of the BMP.
 */
import type { Buffer } from "node:buffer";
import { javaDouble, javaFloat } from "./java-text.ts";
import { decodeBase64, decodeUnscaled, formatDecimal, logicalName } from "./logical.ts";
import { invalid, scaleOf } from "./payload.ts";
import { hasStringKeys, javaTypeName, type Schema } from "./schema.ts";
import { Floating, type JsonObject, type JsonValue, javaClassOf } from "./value.ts";

export interface PayloadStyle {
  /**
   * What a null under a schema is: its default where it has one, else refused if required
   * (`default`); refused if required (`keep`); always null, for values that were read before (`any`).
   */
  readonly nulls: "default" | "keep" | "any";
  /** Decimals as numbers instead of base64 (`decimal.format=NUMERIC`). */
  readonly numericDecimals: boolean;
}

/** The notation of the contract between host and plugins. */
export const plainStyle: PayloadStyle = { nulls: "any", numericDecimals: false };

// The code units that Jackson escapes: below U+0020 and surrogates, also in pairs.
const special = /["\\]|[^ -\ud7ff\ue000-\uffff]/;
const specials = /["\\]|[^ -\ud7ff\ue000-\uffff]/g;
const shortEscapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

/** A quoted string with Jackson's escapes. */
export function writeJsonString(text: string): string {
  return special.test(text) ? `"${text.replace(specials, escapeUnit)}"` : `"${text}"`;
}

function escapeUnit(unit: string): string {
  const code = unit.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
  return shortEscapes[unit] ?? `\\u${code}`;
}

/** @throws RecordError `convert.data_invalid` with Connect's text where the value does not fit. */
export function writePayload(schema: Schema | null, value: JsonValue, style: PayloadStyle): string {
  if (schema === null) return writeSchemaless(value, style);
  if (value === null) return writeNull(schema, style);
  switch (schema.type) {
    case "int8":
      return writeInteger(schema, value, 0x7f);
    case "int16":
      return writeInteger(schema, value, 0x7fff);
    case "int32":
      return writeInteger(schema, value, 0x7fff_ffff);
    case "int64":
      return writeLong(schema, value);
    case "float":
      return writeFloating(schema, value, javaFloat);
    case "double":
      return writeFloating(schema, value, javaDouble);
    case "boolean":
      if (typeof value !== "boolean") throw wrongClass(schema, value);
      return value ? "true" : "false";
    case "string":
      if (typeof value !== "string") throw wrongClass(schema, value);
      return writeJsonString(value);
    case "bytes":
      return writeBytes(schema, value, style);
    case "array":
      return writeArray(schema, value, style);
    case "map":
      return hasStringKeys(schema)
        ? writeObject(schema, value, style)
        : writePairs(schema, value, style);
    case "struct":
      return writeStruct(schema, value, style);
  }
}

function writeNull(schema: Schema, style: PayloadStyle): string {
  if (style.nulls === "default" && schema.default !== null) {
    return writePayload(schema, schema.default, style);
  }
  if (schema.optional || style.nulls === "any") return "null";
  throw invalid("Conversion error: null value for field that is required and has no default value");
}

function writeSchemaless(value: JsonValue, style: PayloadStyle): string {
  if (value === null) return "null";
  if (typeof value === "string") return writeJsonString(value);
  if (typeof value === "number") return value === 0 ? "0" : String(value);
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value === "bigint") {
    if (value !== BigInt.asIntN(64, value)) throw invalid(`${value} does not fit into an INT64`);
    return value.toString();
  }
  if (value instanceof Floating) {
    const number = value.value;
    if (Number.isFinite(number)) return javaDouble(number);
    // Infinity as text would be a string to the plugin; as a number too large it stays one.
    if (style.nulls !== "any" || Number.isNaN(number)) return `"${number}"`;
    return number > 0 ? "1e999" : "-1e999";
  }
  if (Array.isArray(value)) {
    return `[${value.map((item) => writeSchemaless(item, style)).join(",")}]`;
  }
  return members(value, (member) => writeSchemaless(member, style));
}

function writeInteger(schema: Schema, value: JsonValue, max: number): string {
  if (typeof value !== "number" || value > max || value < -max - 1) {
    throw wrongClass(schema, value);
  }
  return value === 0 ? "0" : String(value);
}

function writeLong(schema: Schema, value: JsonValue): string {
  if (typeof value === "number") return value === 0 ? "0" : String(value);
  if (typeof value !== "bigint" || value !== BigInt.asIntN(64, value)) {
    throw wrongClass(schema, value);
  }
  return value.toString();
}

function writeFloating(schema: Schema, value: JsonValue, write: (value: number) => string): string {
  const number = floatingOf(value);
  if (number === undefined) throw wrongClass(schema, value);
  const text = write(number);
  return text.endsWith("N") || text.endsWith("y") ? `"${text}"` : text;
}

/** The number that a float's or double's payload stands for. */
export function floatingOf(value: JsonValue): number | undefined {
  if (value instanceof Floating) return value.value;
  if (typeof value === "number" || typeof value === "bigint") return Number(value);
  if (value === "NaN") return Number.NaN;
  if (value === "Infinity") return Number.POSITIVE_INFINITY;
  return value === "-Infinity" ? Number.NEGATIVE_INFINITY : undefined;
}

function writeBytes(schema: Schema, value: JsonValue, style: PayloadStyle): string {
  const bytes = bytesOf(schema, value);
  if (style.numericDecimals && schema.name === logicalName.decimal) {
    const unscaled = decodeUnscaled(bytes);
    if (unscaled === undefined) throw invalid("Invalid bytes for Decimal field");
    return formatDecimal({ unscaled, scale: scaleOf(schema) ?? 0 });
  }
  return `"${bytes.toString("base64")}"`;
}

/** The bytes that a payload of type bytes stands for. @throws RecordError */
export function bytesOf(schema: Schema, value: JsonValue): Buffer {
  const bytes = typeof value === "string" ? decodeBase64(value) : undefined;
  if (bytes !== undefined) return bytes;
  if (typeof value === "string") throw invalid("Invalid bytes field");
  throw wrongClass(schema, value);
}

function writeArray(schema: Schema, value: JsonValue, style: PayloadStyle): string {
  if (!Array.isArray(value)) throw wrongClass(schema, value);
  let text = "[";
  for (let at = 0; at < value.length; at += 1) {
    if (at > 0) text += ",";
    text += writePayload(schema.values, value[at] as JsonValue, style);
  }
  return `${text}]`;
}

function writeObject(schema: Schema, value: JsonValue, style: PayloadStyle): string {
  if (!(value instanceof Map)) throw wrongClass(schema, value);
  return members(value, (member) => writePayload(schema.values, member, style));
}

function members(object: JsonObject, write: (member: JsonValue) => string): string {
  let text = "";
  for (const [name, member] of object) {
    text += `${text === "" ? "{" : ","}${writeJsonString(name)}:${write(member)}`;
  }
  return text === "" ? "{}" : `${text}}`;
}

function writePairs(schema: Schema, value: JsonValue, style: PayloadStyle): string {
  if (!Array.isArray(value)) throw wrongClass(schema, value);
  const pairs = value.map((pair) => {
    const [key, item] = pairOf(schema, pair);
    const keyText = writePayload(schema.keys, key, style);
    return `[${keyText},${writePayload(schema.values, item, style)}]`;
  });
  return `[${pairs.join(",")}]`;
}

/** One entry of a map that is written as an array of pairs. @throws RecordError */
export function pairOf(schema: Schema, pair: JsonValue): readonly [JsonValue, JsonValue] {
  if (!Array.isArray(pair) || pair.length !== 2) throw wrongClass(schema, pair);
  return pair as unknown as readonly [JsonValue, JsonValue];
}

function writeStruct(schema: Schema, value: JsonValue, style: PayloadStyle): string {
  if (!(value instanceof Map)) throw wrongClass(schema, value);
  let text = "{";
  let found = 0;
  for (const { name, schema: field } of schema.fields) {
    const member = value.get(name);
    if (member !== undefined) found += 1;
    text += `${text === "{" ? "" : ","}${writeJsonString(name)}:`;
    text += writePayload(field, member ?? null, style);
  }
  if (found < value.size) throw unknownField(schema, value);
  return `${text}}`;
}

/** A member that the struct's schema lacks: Connect's Struct could not hold it. */
function unknownField(schema: Schema, value: JsonObject): Error {
  const known = new Set(schema.fields.map((field) => field.name));
  const name = [...value.keys()].find((each) => !known.has(each));
  return invalid(`${name} is not a valid field name`);
}

/** Connect's text for a value that is not of its schema's class. */
export function wrongClass(schema: Schema, value: JsonValue): Error {
  const found = value === null ? "null" : javaClassOf(value);
  switch (schema.name) {
    case logicalName.date:
    case logicalName.time:
    case logicalName.timestamp: {
      const kind = schema.name.slice(schema.name.lastIndexOf(".") + 1);
      return invalid(`Invalid type for ${kind}, expected Date but was ${found}`);
    }
    case logicalName.decimal:
      return invalid(`Invalid type for Decimal, expected BigDecimal but was ${found}`);
  }
  const kind = schema.type === "bytes" ? "bytes type" : javaTypeName(schema);
  return invalid(`Invalid type for ${kind}: ${found}`);
}
