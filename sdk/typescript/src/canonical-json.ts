/**
 * JSON texts exactly as Kafka Connect's JsonConverter writes a payload: the contract's "canonical"
 * text, which the host passes on without reading it.
 */
import { Decimal, encodeBigInteger } from "./decimal.ts";
import { javaDouble, javaFloat } from "./java-number.ts";
import { DataError } from "./plugin-error.ts";
import { logicalName, type Schema } from "./schema.ts";

/** A float64 in data without a schema, where 1 would be an integer: `new Double(1)` is `1.0`. */
export class Double {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }

  valueOf(): number {
    return this.value;
  }

  toString(): string {
    return javaDouble(this.value);
  }
}

const depthMax = 200;
const dayMs = 86_400_000;
const int64Max = (1n << 63n) - 1n;

/** Writes one value; throws DataError where the value does not fit. */
export type JsonWriter = (value: unknown) => string;

// The code units that Jackson escapes: all but these. Surrogates too, also in pairs.
const special = /[^ !#-[\]-\ud7ff\ue000-\uffff]/;
const specials = /[^ !#-[\]-\ud7ff\ue000-\uffff]/g;
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
export function writeString(text: string): string {
  return special.test(text) ? `"${text.replace(specials, escapeUnit)}"` : `"${text}"`;
}

function escapeUnit(unit: string): string {
  return (
    shortEscapes[unit] ?? `\\u${unit.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`
  );
}

function writeDouble(value: number): string {
  return Number.isFinite(value) ? javaDouble(value) : `"${value}"`;
}

function writeBytes(bytes: Uint8Array): string {
  return `"${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64")}"`;
}

/**
 * A value without a schema. Integers are int64, other numbers float64; an integer beyond 2^53 is
 * given as bigint, a whole float64 as `Double`.
 */
export function writeJson(value: unknown, depth = 0): string {
  switch (typeof value) {
    case "string":
      return writeString(value);
    case "number":
      return Number.isSafeInteger(value) && !Object.is(value, -0)
        ? String(value)
        : writeDouble(value);
    case "boolean":
      return value ? "true" : "false";
    case "bigint":
      if (value > int64Max || value < -int64Max - 1n) {
        throw new DataError(`${value} is too large for an integer without schema`);
      }
      return String(value);
    case "undefined":
      return "null";
    case "object":
      return value === null ? "null" : writeObject(value, depth);
    default:
      throw new DataError(`a ${typeof value} cannot be written as JSON`);
  }
}

function writeObject(value: object, depth: number): string {
  if (depth > depthMax) throw new DataError(`the value is nested deeper than ${depthMax}`);
  if (Array.isArray(value)) {
    return `[${value.map((item) => writeJson(item, depth + 1)).join(",")}]`;
  }
  if (value instanceof Uint8Array) return writeBytes(value);
  if (value instanceof Double) return writeDouble(value.value);
  if (value instanceof Date || value instanceof Decimal) {
    throw new DataError(`a ${value.constructor.name} needs a schema`);
  }
  let text = "";
  if (value instanceof Map) {
    for (const [name, member] of value) text = addMember(text, String(name), member, depth);
  } else {
    const members = value as Readonly<Record<string, unknown>>;
    for (const name in members) {
      if (Object.hasOwn(members, name)) text = addMember(text, name, members[name], depth);
    }
  }
  return text === "" ? "{}" : `${text}}`;
}

function addMember(text: string, name: string, member: unknown, depth: number): string {
  if (member === undefined) return text;
  return text + (text === "" ? "{" : ",") + memberHead(name) + writeJson(member, depth + 1);
}

// Names repeat from record to record.
const heads = new Map<string, string>();
const headsMax = 1_000;

function memberHead(name: string): string {
  let head = heads.get(name);
  if (head === undefined) {
    head = `${writeString(name)}:`;
    if (heads.size < headsMax && name.length < 100) heads.set(name, head);
  }
  return head;
}

const writers = new WeakMap<Schema, JsonWriter>();

/** The writer for values of this schema; made once per schema. */
export function jsonWriter(schema: Schema): JsonWriter {
  let writer = writers.get(schema);
  if (writer === undefined) {
    writer = compile(schema, "value");
    writers.set(schema, writer);
  }
  return writer;
}

function compile(schema: Schema, path: string): JsonWriter {
  const write = compileRequired(schema, path);
  // A null stays null where the schema has a default: the host puts the default in its place.
  const nullable = schema.optional || schema.default !== undefined;
  return (value) => {
    if (value !== null && value !== undefined) return write(value);
    if (nullable) return "null";
    throw new DataError(
      `Invalid value: null used for required field: "${path}", schema type: ${schema.type.toUpperCase()}`,
    );
  };
}

function compileRequired(schema: Schema, path: string): JsonWriter {
  switch (schema.type) {
    case "int8":
      return integerWriter(-128, 127, schema, path);
    case "int16":
      return integerWriter(-32_768, 32_767, schema, path);
    case "int32":
      if (schema.name === logicalName.date) return dateWriter(schema, path, dayMs);
      if (schema.name === logicalName.time) return dateWriter(schema, path, 1);
      return integerWriter(-2_147_483_648, 2_147_483_647, schema, path);
    case "int64":
      if (schema.name === logicalName.timestamp) return dateWriter(schema, path, 1);
      return longWriter(schema, path);
    case "float":
      return (value) => {
        const number = numberOf(value, schema, path);
        return Number.isFinite(number) ? javaFloat(number) : `"${number}"`;
      };
    case "double":
      return (value) => writeDouble(numberOf(value, schema, path));
    case "boolean":
      return (value) => {
        if (typeof value !== "boolean") throw misfit(value, schema, path);
        return value ? "true" : "false";
      };
    case "string":
      return (value) => {
        if (typeof value !== "string") throw misfit(value, schema, path);
        return writeString(value);
      };
    case "bytes":
      return schema.name === logicalName.decimal
        ? decimalWriter(schema, path)
        : (value) => {
            if (!(value instanceof Uint8Array)) throw misfit(value, schema, path);
            return writeBytes(value);
          };
    case "array":
      return arrayWriter(schema, path);
    case "map":
      return mapWriter(schema, path);
    case "struct":
      return structWriter(schema, path);
  }
}

function integerWriter(min: number, max: number, schema: Schema, path: string): JsonWriter {
  return (value) => {
    if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
      throw misfit(value, schema, path);
    }
    return value === 0 ? "0" : String(value);
  };
}

function longWriter(schema: Schema, path: string): JsonWriter {
  return (value) => {
    if (typeof value === "bigint" && value <= int64Max && value >= -int64Max - 1n) {
      return String(value);
    }
    if (typeof value !== "number" || !Number.isSafeInteger(value)) {
      throw misfit(value, schema, path);
    }
    return value === 0 ? "0" : String(value);
  };
}

function dateWriter(schema: Schema, path: string, unitMs: number): JsonWriter {
  return (value) => {
    const ms = value instanceof Date ? value.getTime() : Number.NaN;
    if (!Number.isInteger(ms / unitMs)) throw misfit(value, schema, path);
    return String(ms / unitMs);
  };
}

function decimalWriter(schema: Schema, path: string): JsonWriter {
  const scale = Number(schema.parameters?.["scale"]);
  return (value) => {
    const decimal = typeof value === "string" ? Decimal.parse(value) : value;
    if (!(decimal instanceof Decimal) || decimal.scale > scale) throw misfit(value, schema, path);
    return writeBytes(encodeBigInteger(decimal.unscaled * 10n ** BigInt(scale - decimal.scale)));
  };
}

function arrayWriter(schema: Schema, path: string): JsonWriter {
  const item = schema.items ? compile(schema.items, `${path}[]`) : writeJson;
  return (value) => {
    if (!Array.isArray(value)) throw misfit(value, schema, path);
    let text = "[";
    for (let at = 0; at < value.length; at += 1) text += (at === 0 ? "" : ",") + item(value[at]);
    return `${text}]`;
  };
}

function mapWriter(schema: Schema, path: string): JsonWriter {
  const key = schema.keys ? compile(schema.keys, `${path} key`) : writeJson;
  const item = schema.values ? compile(schema.values, `${path} value`) : writeJson;
  const asObject = schema.keys?.type === "string" && !schema.keys.optional;
  return (value) => {
    if (typeof value !== "object" || value === null) throw misfit(value, schema, path);
    const entries = value instanceof Map ? value : Object.entries(value);
    const members: string[] = [];
    for (const [name, member] of entries) {
      members.push(asObject ? `${key(name)}:${item(member)}` : `[${key(name)},${item(member)}]`);
    }
    return asObject ? `{${members.join(",")}}` : `[${members.join(",")}]`;
  };
}

function structWriter(schema: Schema, path: string): JsonWriter {
  const fields = schema.fields ?? [];
  const names = fields.map((field) => field.field);
  const heads = names.map((name, at) => `${at === 0 ? "{" : ","}${writeString(name)}:`);
  const writes = fields.map((field) =>
    compile(field.schema, path === "value" ? field.field : `${path}.${field.field}`),
  );
  return (value) => {
    if (typeof value !== "object" || value === null) throw misfit(value, schema, path);
    const struct = value as Readonly<Record<string, unknown>>;
    let text = "";
    for (let at = 0; at < names.length; at += 1) {
      text += heads[at]! + writes[at]!(struct[names[at]!]);
    }
    return text === "" ? "{}" : `${text}}`;
  };
}

function numberOf(value: unknown, schema: Schema, path: string): number {
  if (typeof value === "number") return value;
  if (value instanceof Double) return value.value;
  throw misfit(value, schema, path);
}

function misfit(value: unknown, schema: Schema, path: string): DataError {
  const kind = schema.name === undefined ? schema.type : `${schema.type} (${schema.name})`;
  let shown = typeof value === "object" && value !== null ? value.constructor?.name : String(value);
  if (shown !== undefined && shown.length > 100) shown = `${shown.slice(0, 100)}…`;
  return new DataError(`${shown} (${typeof value}) cannot be written at "${path}" as ${kind}`);
}
