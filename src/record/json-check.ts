/**
 * Looks at a JSON text as bytes and says whether it is, without doubt, a payload of a schema: then it
 * goes to the plugin as it is. No object is made for it; this is why a sink can read JSON at all in the
 * bytes lane. In doubt the answer is no, and the value is read fully, which settles it.
 *
 * Under a schema that means: all members of structs in the schema's order, no blanks, integers within
 * their range, no null where Connect would put a default. Without one: any JSON whose integers fit.
 */
import { Buffer, isUtf8 } from "node:buffer";
import { writeJsonString } from "./canonical-json.ts";
import {
  falseWord,
  longMax,
  nullWord,
  scanAny,
  scanBase64,
  scanFloating,
  scanInteger,
  scanString,
  scanWord,
  seen,
  trueWord,
} from "./json-scan.ts";
import { logicalName, timeMsMax } from "./logical.ts";
import { scaleOf } from "./payload.ts";
import { hasStringKeys, type Schema } from "./schema.ts";

type Kind =
  | { at: "any" | "doubtful" | "boolean" | "string" | "bytes" | "decimal" }
  | { at: "integer"; min: number; max: number }
  | { at: "floating"; exponentDigitsMax: number }
  | { at: "array"; item: Shape }
  | { at: "object"; item: Shape }
  | { at: "pairs"; key: Shape; item: Shape }
  /** `heads` are the bytes before each member: `{"a":`, `,"b":`. */
  | { at: "struct"; heads: readonly Uint8Array[]; members: readonly Shape[] };

interface Shape {
  readonly kind: Kind;
  /** A null here may be passed on. */
  readonly nullable: boolean;
}

/** One text at a time; keep one for each schema. */
export class JsonCheck {
  readonly #shape: Shape;

  /** @param replaceNull as in `readPayload`: a null where there is a default is doubtful. */
  constructor(schema: Schema | null, replaceNull: boolean) {
    this.#shape = shapeOf(schema, replaceNull);
  }

  /** Where the first value in the run ends; -1 in doubt. */
  endOf(bytes: Uint8Array, start: number, end: number): number {
    seen.high = false;
    const at = checkShape(this.#shape, bytes, start, end);
    if (at < 0 || at > end) return -1;
    return seen.high && !isUtf8(bytes.subarray(start, at)) ? -1 : at;
  }
}

function shapeOf(schema: Schema | null, replaceNull: boolean): Shape {
  if (schema === null) return { kind: { at: "any" }, nullable: true };
  const nullable = schema.optional && !(replaceNull && schema.default !== null);
  return { kind: kindOf(schema, replaceNull), nullable };
}

function kindOf(schema: Schema, replaceNull: boolean): Kind {
  const part = (inner: Schema | null) => shapeOf(inner, replaceNull);
  const logical = logicalKindOf(schema);
  if (logical !== undefined) return logical;
  switch (schema.type) {
    case "int8":
      return { at: "integer", min: -0x80, max: 0x7f };
    case "int16":
      return { at: "integer", min: -0x8000, max: 0x7fff };
    case "int32":
      return { at: "integer", min: -0x8000_0000, max: 0x7fff_ffff };
    case "int64":
      return anyLong;
    case "float":
      return { at: "floating", exponentDigitsMax: 1 };
    case "double":
      return { at: "floating", exponentDigitsMax: 2 };
    case "boolean":
    case "string":
    case "bytes":
      return { at: schema.type };
    case "array":
      return { at: "array", item: part(schema.values) };
    case "map":
      return hasStringKeys(schema)
        ? { at: "object", item: part(schema.values) }
        : { at: "pairs", key: part(schema.keys), item: part(schema.values) };
    case "struct": {
      const heads = schema.fields.map(({ name }, index) =>
        Buffer.from(`${index === 0 ? "{" : ","}${writeJsonString(name)}:`),
      );
      return { at: "struct", heads, members: schema.fields.map((field) => part(field.schema)) };
    }
  }
}

const anyLong: Kind = { at: "integer", min: -longMax, max: longMax };

const doubtful: Kind = { at: "doubtful" };

function logicalKindOf(schema: Schema): Kind | undefined {
  switch (schema.name) {
    case logicalName.decimal: {
      const isWhole = schema.type === "bytes" && scaleOf(schema) !== undefined;
      return isWhole ? { at: "decimal" } : doubtful;
    }
    case logicalName.date:
      return schema.type === "int32" ? undefined : doubtful;
    case logicalName.time:
      return schema.type === "int32" ? { at: "integer", min: 0, max: timeMsMax } : doubtful;
    case logicalName.timestamp:
      return schema.type === "int64" ? anyLong : doubtful;
    default:
      return undefined;
  }
}

function checkShape(shape: Shape, bytes: Uint8Array, at: number, end: number): number {
  const { kind } = shape;
  if (bytes[at] === 0x6e && kind.at !== "any") {
    return shape.nullable ? scanWord(nullWord, bytes, at) : -1;
  }
  switch (kind.at) {
    case "any":
      return scanAny(bytes, at, end, 0);
    case "doubtful":
      return -1;
    case "boolean":
      return scanWord(bytes[at] === 0x74 ? trueWord : falseWord, bytes, at);
    case "string":
      return scanString(bytes, at, end);
    case "bytes":
      return scanBase64(bytes, at, end);
    case "decimal":
      // Two quotes are no number.
      return bytes[at + 1] === 0x22 ? -1 : scanBase64(bytes, at, end);
    case "integer":
      return scanInteger(bytes, at, end, kind.min, kind.max);
    case "floating":
      return scanFloating(bytes, at, end, kind.exponentDigitsMax);
    case "array":
      return checkArray(kind.item, bytes, at, end);
    case "object":
      return checkObject(kind.item, bytes, at, end);
    case "pairs":
      return checkPairs(kind.key, kind.item, bytes, at, end);
    case "struct":
      return checkStruct(kind.heads, kind.members, bytes, at, end);
  }
}

function checkStruct(
  heads: readonly Uint8Array[],
  members: readonly Shape[],
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  let at = start;
  if (heads.length === 0) return bytes[at] === 0x7b && bytes[at + 1] === 0x7d ? at + 2 : -1;
  for (let index = 0; index < heads.length; index += 1) {
    at = scanWord(heads[index] as Uint8Array, bytes, at);
    if (at < 0) return -1;
    at = checkShape(members[index] as Shape, bytes, at, end);
    if (at < 0) return -1;
  }
  return bytes[at] === 0x7d ? at + 1 : -1;
}

function checkArray(item: Shape, bytes: Uint8Array, start: number, end: number): number {
  let at = start + 1;
  if (bytes[start] !== 0x5b) return -1;
  if (bytes[at] === 0x5d) return at + 1;
  for (;;) {
    at = checkShape(item, bytes, at, end);
    if (at < 0 || at >= end) return -1;
    const next = bytes[at];
    at += 1;
    if (next === 0x5d) return at;
    if (next !== 0x2c) return -1;
  }
}

function checkObject(item: Shape, bytes: Uint8Array, start: number, end: number): number {
  let at = start + 1;
  if (bytes[start] !== 0x7b) return -1;
  if (bytes[at] === 0x7d) return at + 1;
  for (;;) {
    at = scanString(bytes, at, end);
    if (at < 0 || bytes[at] !== 0x3a) return -1;
    at = checkShape(item, bytes, at + 1, end);
    if (at < 0 || at >= end) return -1;
    const next = bytes[at];
    at += 1;
    if (next === 0x7d) return at;
    if (next !== 0x2c) return -1;
  }
}

function checkPairs(
  key: Shape,
  item: Shape,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  let at = start + 1;
  if (bytes[start] !== 0x5b) return -1;
  if (bytes[at] === 0x5d) return at + 1;
  for (;;) {
    if (bytes[at] !== 0x5b) return -1;
    at = checkShape(key, bytes, at + 1, end);
    if (at < 0 || bytes[at] !== 0x2c) return -1;
    at = checkShape(item, bytes, at + 1, end);
    if (at < 0 || at >= end || bytes[at] !== 0x5d) return -1;
    const next = bytes[at + 1];
    at += 2;
    if (next === 0x5d) return at;
    if (next !== 0x2c) return -1;
  }
}
