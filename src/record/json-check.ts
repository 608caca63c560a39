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
  beginScan,
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

/** Numbers, and one class for all shapes: so much is looked up for each byte or two. */
const kind = {
  any: 0,
  doubtful: 1,
  boolean: 2,
  string: 3,
  bytes: 4,
  decimal: 5,
  integer: 6,
  floating: 7,
  array: 8,
  object: 9,
  pairs: 10,
  struct: 11,
} as const;

class Shape {
  readonly kind: number;
  /** A null here may be passed on. */
  nullable = false;
  /** Bounds of an integer. */
  min = 0;
  max = 0;
  /** Of a floating number: more may be beyond its type. */
  exponentDigitsMax = 0;
  /** Of a struct: the bytes before each member, `{"a":` and `,"b":`. */
  heads: readonly Uint8Array[] = [];
  /** A struct's members; a map's values or an array's items; and a map's keys behind them. */
  parts: readonly Shape[] = [];

  constructor(is: number) {
    this.kind = is;
  }
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
    beginScan(bytes);
    const at = checkShape(this.#shape, bytes, start, end);
    if (at < 0 || at > end) return -1;
    return seen.high && !isUtf8(bytes.subarray(start, at)) ? -1 : at;
  }
}

function shapeOf(schema: Schema | null, replaceNull: boolean): Shape {
  if (schema === null) return new Shape(kind.any);
  const shape = logicalShapeOf(schema) ?? plainShapeOf(schema, replaceNull);
  shape.nullable = schema.optional && !(replaceNull && schema.default !== null);
  return shape;
}

function plainShapeOf(schema: Schema, replaceNull: boolean): Shape {
  const part = (inner: Schema | null) => shapeOf(inner, replaceNull);
  switch (schema.type) {
    case "int8":
      return integer(-0x80, 0x7f);
    case "int16":
      return integer(-0x8000, 0x7fff);
    case "int32":
      return integer(-0x8000_0000, 0x7fff_ffff);
    case "int64":
      return integer(-longMax, longMax);
    case "float":
      return floating(1);
    case "double":
      return floating(2);
    case "boolean":
    case "string":
    case "bytes":
      return new Shape(kind[schema.type]);
    case "array":
      return withParts(kind.array, [part(schema.values)]);
    case "map":
      return hasStringKeys(schema)
        ? withParts(kind.object, [part(schema.values)])
        : withParts(kind.pairs, [part(schema.values), part(schema.keys)]);
    case "struct": {
      const members = schema.fields.map((field) => part(field.schema));
      const shape = withParts(kind.struct, members);
      shape.heads = schema.fields.map(({ name }, index) =>
        Buffer.from(`${index === 0 ? "{" : ","}${writeJsonString(name)}:`),
      );
      return shape;
    }
  }
}

function integer(min: number, max: number): Shape {
  const shape = new Shape(kind.integer);
  shape.min = min;
  shape.max = max;
  return shape;
}

function floating(exponentDigitsMax: number): Shape {
  const shape = new Shape(kind.floating);
  shape.exponentDigitsMax = exponentDigitsMax;
  return shape;
}

function withParts(is: number, parts: readonly Shape[]): Shape {
  const shape = new Shape(is);
  shape.parts = parts;
  return shape;
}

function logicalShapeOf(schema: Schema): Shape | undefined {
  const { name, type } = schema;
  switch (name) {
    case logicalName.decimal: {
      const isWhole = type === "bytes" && scaleOf(schema) !== undefined;
      return new Shape(isWhole ? kind.decimal : kind.doubtful);
    }
    case logicalName.date:
      return type === "int32" ? undefined : new Shape(kind.doubtful);
    case logicalName.time:
      return type === "int32" ? integer(0, timeMsMax) : new Shape(kind.doubtful);
    case logicalName.timestamp:
      return type === "int64" ? undefined : new Shape(kind.doubtful);
    default:
      return undefined;
  }
}

function checkShape(shape: Shape, bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] === 0x6e && shape.kind !== kind.any) {
    return shape.nullable ? scanWord(nullWord, bytes, at) : -1;
  }
  switch (shape.kind) {
    case kind.any:
      return scanAny(bytes, at, end, 0);
    case kind.boolean:
      return scanWord(bytes[at] === 0x74 ? trueWord : falseWord, bytes, at);
    case kind.string:
      return scanString(bytes, at, end);
    case kind.bytes:
      return scanBase64(bytes, at, end);
    case kind.decimal:
      // Two quotes are no number.
      return bytes[at + 1] === 0x22 ? -1 : scanBase64(bytes, at, end);
    case kind.integer:
      return scanInteger(bytes, at, end, shape.min, shape.max);
    case kind.floating:
      return scanFloating(bytes, at, end, shape.exponentDigitsMax);
    case kind.array:
      return checkArray(shape.parts[0] as Shape, bytes, at, end);
    case kind.object:
      return checkObject(shape.parts[0] as Shape, bytes, at, end);
    case kind.pairs:
      return checkPairs(shape.parts[1] as Shape, shape.parts[0] as Shape, bytes, at, end);
    case kind.struct:
      return checkStruct(shape.heads, shape.parts, bytes, at, end);
    default:
      return -1;
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
