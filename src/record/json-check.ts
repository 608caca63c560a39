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
import { logicalName, timeMsMax } from "./logical.ts";
import { scaleOf } from "./payload.ts";
import { hasStringKeys, type Schema } from "./schema.ts";

/** Nested deeper than this is left to the reader, which has a bound of its own. */
const depthMax = 500;

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
    highSeen = false;
    const at = checkShape(this.#shape, bytes, start, end);
    if (at < 0 || at > end) return -1;
    return highSeen && !isUtf8(bytes.subarray(start, at)) ? -1 : at;
  }
}

/** A byte of 0x80 or more was seen in a string. Of the one check that runs. */
let highSeen = false;

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

/** Numbers of up to 15 digits; longer ones are left to the reader. */
const anyLong: Extract<Kind, { at: "integer" }> = {
  at: "integer",
  min: -Number.MAX_VALUE,
  max: Number.MAX_VALUE,
};

function logicalKindOf({ name, type, parameters, ...rest }: Schema): Kind | undefined {
  const doubtful: Kind = { at: "doubtful" };
  switch (name) {
    case logicalName.decimal:
      if (type !== "bytes" || scaleOf({ name, type, parameters, ...rest }) === undefined) {
        return doubtful;
      }
      return { at: "decimal" };
    case logicalName.date:
      return type === "int32" ? undefined : doubtful;
    case logicalName.time:
      return type === "int32" ? { at: "integer", min: 0, max: timeMsMax } : doubtful;
    case logicalName.timestamp:
      return type === "int64" ? anyLong : doubtful;
    default:
      return undefined;
  }
}

function checkShape(shape: Shape, bytes: Uint8Array, at: number, end: number): number {
  const { kind } = shape;
  if (bytes[at] === 0x6e && kind.at !== "any") {
    return shape.nullable ? checkWord(nullWord, bytes, at) : -1;
  }
  switch (kind.at) {
    case "any":
      return checkAny(bytes, at, end, 0);
    case "doubtful":
      return -1;
    case "boolean":
      return checkWord(bytes[at] === 0x74 ? trueWord : falseWord, bytes, at);
    case "string":
      return checkString(bytes, at, end);
    case "bytes":
      return checkBase64(bytes, at, end);
    case "decimal":
      // Two quotes are no number.
      return bytes[at + 1] === 0x22 ? -1 : checkBase64(bytes, at, end);
    case "integer":
      return checkInteger(bytes, at, end, kind.min, kind.max);
    case "floating":
      return checkFloating(bytes, at, end, kind.exponentDigitsMax);
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
    at = checkWord(heads[index] as Uint8Array, bytes, at);
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
    at = checkString(bytes, at, end);
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

const nullWord = Buffer.from("null");
const trueWord = Buffer.from("true");
const falseWord = Buffer.from("false");

function checkWord(word: Uint8Array, bytes: Uint8Array, start: number): number {
  for (let at = 0; at < word.length; at += 1) {
    if (bytes[start + at] !== word[at]) return -1;
  }
  return start + word.length;
}

function checkString(bytes: Uint8Array, start: number, end: number): number {
  if (bytes[start] !== 0x22) return -1;
  let at = start + 1;
  for (;;) {
    at = skipPlain(bytes, at, end);
    if (at >= end) return -1;
    const byte = bytes[at] as number;
    if (byte === 0x22) return at + 1;
    if (byte >= 0x80) highSeen = true;
    else if (byte < 0x20) return -1;
    else if (byte === 0x5c) {
      const length = escapeLength(bytes, at + 1, end);
      if (length === 0) return -1;
      at += length;
    }
    at += 1;
  }
}

/** Over the buffer that was looked at last: making one for each string would cost more than it saves. */
let words: DataView = new DataView(new ArrayBuffer(0));

/**
 * Skips four bytes at once while they are ASCII without quote, backslash and control character (a
 * byte whose highest bit is set, or becomes so by subtraction, is none of these); twice as fast as a
 * loop over bytes.
 */
function skipPlain(bytes: Uint8Array, start: number, end: number): number {
  if (words.buffer !== bytes.buffer) words = new DataView(bytes.buffer);
  const offset = bytes.byteOffset;
  let at = start;
  for (const last = end - 4; at <= last; at += 4) {
    const word = words.getUint32(offset + at, true);
    const control = word - 0x20202020;
    const quote = (word ^ 0x22222222) - 0x01010101;
    const backslash = (word ^ 0x5c5c5c5c) - 0x01010101;
    if (((word | control | quote | backslash) & 0x80808080) !== 0) break;
  }
  return at;
}

/** The characters of an escape behind its backslash; 0 = there is no such escape. */
function escapeLength(bytes: Uint8Array, start: number, end: number): number {
  switch (bytes[start]) {
    case 0x22:
    case 0x2f:
    case 0x5c:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return 1;
    case 0x75:
      for (let at = start + 1; at < start + 5; at += 1) {
        if (at >= end || !isHex(bytes[at] as number)) return 0;
      }
      return 5;
    default:
      return 0;
  }
}

function isHex(byte: number): boolean {
  return isDigit(byte) || (byte >= 0x61 && byte <= 0x66) || (byte >= 0x41 && byte <= 0x46);
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function checkBase64(bytes: Uint8Array, start: number, end: number): number {
  if (bytes[start] !== 0x22) return -1;
  let at = start + 1;
  while (at < end && isBase64(bytes[at] as number)) at += 1;
  const signs = at - start - 1;
  const padding = (4 - (signs % 4)) % 4;
  if (padding === 3) return -1;
  for (let count = 0; count < padding; count += 1, at += 1) if (bytes[at] !== 0x3d) return -1;
  return bytes[at] === 0x22 ? at + 1 : -1;
}

function isBase64(byte: number): boolean {
  const letter = byte | 0x20;
  return (letter >= 0x61 && letter <= 0x7a) || isDigit(byte) || byte === 0x2b || byte === 0x2f;
}

function checkInteger(
  bytes: Uint8Array,
  start: number,
  end: number,
  min: number,
  max: number,
): number {
  const negative = bytes[start] === 0x2d;
  const digits = negative ? start + 1 : start;
  let at = digits;
  let value = 0;
  while (at < end && isDigit(bytes[at])) {
    value = value * 10 + (bytes[at] as number) - 0x30;
    at += 1;
  }
  if (at === digits || at - digits > 15 || (bytes[digits] === 0x30 && at - digits > 1)) return -1;
  if (at < end && isOfNumber(bytes[at] as number)) return -1;
  // "-0" is an integer to Jackson and not to everyone.
  if (negative && value === 0) return -1;
  return value > max || (negative && -value < min) ? -1 : at;
}

/** What would go on with a number: `.`, `e`, `E`. */
function isOfNumber(byte: number): boolean {
  return byte === 0x2e || (byte | 0x20) === 0x65;
}

/** A number of up to 25 characters; with more, or a larger exponent, it may be beyond its type. */
function checkFloating(
  bytes: Uint8Array,
  start: number,
  end: number,
  exponentDigitsMax: number,
): number {
  let at = bytes[start] === 0x2d ? start + 1 : start;
  const digits = at;
  while (at < end && isDigit(bytes[at])) at += 1;
  if (at === digits || (bytes[digits] === 0x30 && at - digits > 1)) return -1;
  if (at < end && bytes[at] === 0x2e) {
    const fraction = at + 1;
    at = fraction;
    while (at < end && isDigit(bytes[at])) at += 1;
    if (at === fraction) return -1;
  }
  if (at - start > 25) return -1;
  if (at >= end || !isOfNumber(bytes[at] as number)) return at;
  at += 1;
  if (bytes[at] === 0x2b || bytes[at] === 0x2d) at += 1;
  const exponent = at;
  while (at < end && isDigit(bytes[at])) at += 1;
  return at === exponent || at - exponent > exponentDigitsMax ? -1 : at;
}

function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && isBlank(bytes[at] as number)) at += 1;
  return at;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function checkAny(bytes: Uint8Array, start: number, end: number, depth: number): number {
  switch (bytes[start]) {
    case 0x22:
      return checkString(bytes, start, end);
    case 0x7b:
      return depth > depthMax ? -1 : checkMembers(bytes, start, end, depth, 0x7d);
    case 0x5b:
      return depth > depthMax ? -1 : checkMembers(bytes, start, end, depth, 0x5d);
    case 0x74:
      return checkWord(trueWord, bytes, start);
    case 0x66:
      return checkWord(falseWord, bytes, start);
    case 0x6e:
      return checkWord(nullWord, bytes, start);
    default: {
      const at = checkInteger(bytes, start, end, anyLong.min, anyLong.max);
      return at >= 0 ? at : checkFloating(bytes, start, end, 2);
    }
  }
}

/** An object's members or an array's items, with blanks where JSON has them. */
function checkMembers(
  bytes: Uint8Array,
  start: number,
  end: number,
  depth: number,
  closing: number,
): number {
  let at = skipBlanks(bytes, start + 1, end);
  if (bytes[at] === closing) return at + 1;
  for (;;) {
    if (closing === 0x7d) {
      at = checkString(bytes, at, end);
      if (at < 0) return -1;
      at = skipBlanks(bytes, at, end);
      if (bytes[at] !== 0x3a) return -1;
      at = skipBlanks(bytes, at + 1, end);
    }
    at = checkAny(bytes, at, end, depth + 1);
    if (at < 0 || at >= end) return -1;
    at = skipBlanks(bytes, at, end);
    const next = bytes[at];
    at += 1;
    if (next === closing) return at;
    if (next !== 0x2c) return -1;
    at = skipBlanks(bytes, at, end);
  }
}
