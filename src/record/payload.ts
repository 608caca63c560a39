/**
 * Reads a JSON value under a schema as JsonConverter does, quirks included: wrong leaves become 0,
 * false or null, integers wrap, decimals may be numbers. The result is a canonical payload.
 */
import { RecordError } from "../base/error.ts";
import {
  type Decimal,
  decodeBase64,
  decodeUnscaled,
  encodeUnscaled,
  formatDecimal,
  logicalName,
  parseDecimal,
  rescale,
  timeMsMax,
} from "./logical.ts";
import { hasStringKeys, javaTypeName, type Schema } from "./schema.ts";
import { Floating, type JsonObject, type JsonValue, jsonKindOf, Tagged } from "./value.ts";

/** How nulls and decimals are read. */
export interface PayloadReading {
  /** Nulls become the default of their schema (`replace.null.with.default`). */
  readonly replaceNull: boolean;
  /** A Decimal that is a number keeps its own scale, tagged, as with Connect; a form has no room for it. */
  readonly anyScale?: boolean;
}

/**
 * @throws RecordError `convert.data_invalid` with Connect's text.
 */
export function readPayload(
  schema: Schema | null,
  value: JsonValue | undefined,
  reading: PayloadReading,
): JsonValue {
  if (schema === null) return value === undefined ? null : readSchemaless(value);
  if (value === null || value === undefined) {
    if (schema.default !== null && reading.replaceNull) return schema.default;
    if (schema.optional) return null;
    throw invalid(`Invalid null value for required ${javaTypeName(schema)} field`);
  }
  return readLogical(schema, value, reading) ?? readPlain(schema, value, reading);
}

/** Without a schema only integers change: they are int64 and wrap. */
function readSchemaless(value: JsonValue): JsonValue {
  if (typeof value === "bigint") return narrow(BigInt.asIntN(64, value));
  if (Array.isArray(value)) return value.map(readSchemaless);
  if (!(value instanceof Map)) return value;
  for (const [name, member] of value) value.set(name, readSchemaless(member));
  return value;
}

/** undefined = the schema has no logical type that is known. */
function readLogical(
  schema: Schema,
  value: JsonValue,
  reading: PayloadReading,
): JsonValue | undefined {
  switch (schema.name) {
    case logicalName.decimal:
      return readDecimal(schema, value, reading);
    case logicalName.date:
    case logicalName.time:
      return readDay(schema, value);
    case logicalName.timestamp:
      if (typeof value !== "number" && typeof value !== "bigint") {
        throw invalid(
          `Invalid type for Timestamp, underlying representation should be integral but was ${jsonKindOf(value)}`,
        );
      }
      return wrap(value, 64);
    default:
      return undefined;
  }
}

function readDay(schema: Schema, value: JsonValue): number {
  const isTime = schema.name === logicalName.time;
  if (typeof value !== "number" || value !== (value | 0)) {
    throw invalid(
      `Invalid type for ${isTime ? "Time" : "Date"}, underlying representation should be integer but was ${jsonKindOf(value)}`,
    );
  }
  if (isTime && (value < 0 || value > timeMsMax)) {
    throw invalid(
      "Time values must use number of milliseconds greater than 0 and less than 86400000",
    );
  }
  return value;
}

function readDecimal(schema: Schema, value: JsonValue, reading: PayloadReading): JsonValue {
  const scale = scaleOf(schema);
  if (typeof value === "string") {
    const bytes = decodeBase64(value);
    if (bytes === undefined || decodeUnscaled(bytes) === undefined || scale === undefined) {
      throw invalid("Invalid bytes for Decimal field");
    }
    return bytes.toString("base64");
  }
  const decimal = numberToDecimal(value);
  if (decimal === undefined) {
    throw invalid(
      `Invalid type for Decimal, underlying representation should be numeric or bytes but was ${jsonKindOf(value)}`,
    );
  }
  if (reading.anyScale === true && decimal.scale !== scale) {
    // The type says JSON, because only whoever asks for this gets to see it.
    return new Tagged("decimal", decimal) as unknown as JsonValue;
  }
  // Connect keeps the number's own scale; in a plugin's form the scale is the schema's.
  const scaled = rescale(decimal, scale ?? 0);
  if (scaled === undefined) {
    throw invalid(
      `Decimal value has mismatching scale for given Decimal schema. Schema has scale ${scale ?? 0}, value has scale ${decimal.scale}: ${formatDecimal(decimal)}`,
    );
  }
  return encodeUnscaled(scaled.unscaled).toString("base64");
}

function numberToDecimal(value: JsonValue): Decimal | undefined {
  if (typeof value === "number" || typeof value === "bigint") {
    return { unscaled: BigInt(value), scale: 0 };
  }
  return value instanceof Floating ? parseDecimal(value.text) : undefined;
}

/** The scale of a Decimal's schema; undefined where it is missing or no integer. */
export function scaleOf(schema: Schema): number | undefined {
  const text = schema.parameters?.get("scale");
  if (text === undefined || !/^[+-]?\d{1,10}$/.test(text)) return undefined;
  const scale = Number(text);
  return scale === (scale | 0) ? scale : undefined;
}

function readPlain(schema: Schema, value: JsonValue, reading: PayloadReading): JsonValue {
  switch (schema.type) {
    case "int8":
      return wrap(value, 8);
    case "int16":
      return wrap(value, 16);
    case "int32":
      return wrap(value, 32);
    case "int64":
      return wrap(value, 64);
    case "float":
    case "double":
      if (value instanceof Floating) return value;
      return new Floating(
        typeof value === "number" || typeof value === "bigint" ? `${value}.0` : "0.0",
      );
    case "boolean":
      return value === true;
    case "string":
      return typeof value === "string" ? value : null;
    case "bytes":
      return readBytes(value);
    case "array":
      return readArray(schema, value, reading);
    case "map":
      return hasStringKeys(schema)
        ? readObject(schema, value, reading)
        : readPairs(schema, value, reading);
    case "struct":
      return readStruct(schema, value, reading);
  }
}

function readBytes(value: JsonValue): string | null {
  if (typeof value !== "string") return null;
  const bytes = decodeBase64(value);
  if (bytes === undefined) throw invalid("Invalid bytes field");
  return bytes.toString("base64");
}

function readArray(schema: Schema, value: JsonValue, reading: PayloadReading): JsonValue {
  // Jackson iterates over objects too, and over anything else not at all.
  const items = value instanceof Map ? [...value.values()] : Array.isArray(value) ? value : [];
  return items.map((item) => readPayload(schema.values, item, reading));
}

function readObject(schema: Schema, value: JsonValue, reading: PayloadReading): JsonObject {
  if (!(value instanceof Map)) {
    throw invalid(
      `Maps with string fields should be encoded as JSON objects, but found ${jsonKindOf(value)}`,
    );
  }
  const read: JsonObject = new Map();
  for (const [name, member] of value) {
    read.set(name, readPayload(schema.values, member, reading));
  }
  return read;
}

function readPairs(schema: Schema, value: JsonValue, reading: PayloadReading): JsonValue {
  if (!Array.isArray(value)) {
    throw invalid(
      `Maps with non-string fields should be encoded as JSON array of tuples, but found ${jsonKindOf(value)}`,
    );
  }
  return value.map((pair) => {
    if (!Array.isArray(pair)) {
      throw invalid(`Found invalid map entry instead of array tuple: ${jsonKindOf(pair)}`);
    }
    if (pair.length !== 2) {
      throw invalid(`Found invalid map entry, expected length 2 but found :${pair.length}`);
    }
    return [
      readPayload(schema.keys, pair[0], reading),
      readPayload(schema.values, pair[1], reading),
    ];
  });
}

function readStruct(schema: Schema, value: JsonValue, reading: PayloadReading): JsonObject {
  if (!(value instanceof Map)) {
    throw invalid(`Structs should be encoded as JSON objects, but found ${jsonKindOf(value)}`);
  }
  // Members that are as the schema has them stay where they are.
  const isAsLarge = value.size === schema.fields.length;
  const read: JsonObject = isAsLarge ? value : new Map();
  for (const field of schema.fields) {
    const given = value.get(field.name);
    const member = readPayload(field.schema, given, reading);
    if (mayLack(field.schema, member)) {
      requireValues(field.schema, member, `field: "${field.name}"`);
    }
    if (!isAsLarge || member !== given) read.set(field.name, member);
  }
  if (read.size > schema.fields.length) dropUnknown(schema, read);
  return read;
}

/** Connect takes no notice of members that a struct's schema lacks. */
function dropUnknown(schema: Schema, struct: JsonObject): void {
  const known = new Set(schema.fields.map(({ name }) => name));
  for (const name of [...struct.keys()]) if (!known.has(name)) struct.delete(name);
}

/** Only of these there is more to ask. */
function mayLack({ type }: Schema, value: JsonValue): boolean {
  return value === null || type === "array" || type === "map";
}

/** A struct, other than a list, refuses the nulls that wrong leaves became. */
function requireValues(schema: Schema, value: JsonValue, place: string): void {
  if (value === null) {
    if (schema.optional || schema.default !== null) return;
    throw invalid(
      `Invalid value: null used for required ${place}, schema type: ${javaTypeName(schema)}`,
    );
  }
  if (schema.type === "array" && schema.values !== null && Array.isArray(value)) {
    for (const item of value) requireValues(schema.values, item, `element of array ${place}`);
  }
  if (schema.type === "map" && schema.values !== null && value instanceof Map) {
    for (const item of value.values()) requireValues(schema.values, item, `value of map ${place}`);
  }
}

/** Java's narrowing: the low bits. Whatever is no number is 0. */
function wrap(value: JsonValue, bits: number): number | bigint {
  if (typeof value === "number" && bits <= 32) {
    if (value === (value | 0)) return bits === 32 ? value : (value << (32 - bits)) >> (32 - bits);
  } else if (typeof value === "number") return value;
  const exact = integerPart(value);
  // The narrow types go by way of int32, which changes nothing: low bits are low bits.
  return narrow(BigInt.asIntN(bits, exact));
}

function integerPart(value: JsonValue): bigint {
  if (typeof value === "number" || typeof value === "bigint") return BigInt(value);
  if (!(value instanceof Floating)) return 0n;
  const decimal = parseDecimal(value.text);
  if (decimal === undefined) return 0n;
  const { unscaled, scale } = decimal;
  // 10^64 and more have 64 zeros as their low bits; and what is below 1 has no integer part.
  if (scale <= 0) return scale <= -64 ? 0n : unscaled * 10n ** BigInt(-scale);
  return scale > 1_100 ? 0n : unscaled / 10n ** BigInt(scale);
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** A value that Connect refuses with a DataException. */
export function invalid(message: string, cause?: unknown): RecordError {
  return new RecordError("convert.data_invalid", message, cause === undefined ? {} : { cause });
}
