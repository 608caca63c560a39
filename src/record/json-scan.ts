/**
 * The leaves of `json-check.ts`: each function looks at one piece of JSON that begins at `start` and
 * says where it ends, or -1 when it is not, or not certainly, what it should be.
 */
import { Buffer } from "node:buffer";

/** Nested deeper than this is left to the reader, which has a bound of its own. */
const depthMax = 500;

/** What the scan that runs has come across. */
export const seen = { high: false };

// Over the bytes that were looked at last: asking for a buffer and its offset costs more than a short string.
let scanned = new Uint8Array(0);
let words: DataView = new DataView(new ArrayBuffer(0));

/** Comes before any scan of these bytes. */
export function beginScan(bytes: Uint8Array): void {
  seen.high = false;
  if (bytes === scanned) return;
  scanned = bytes as typeof scanned;
  words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** For `scanWord`. */
export const nullWord = Buffer.from("null");
/** For `scanWord`. */
export const trueWord = Buffer.from("true");
/** For `scanWord`. */
export const falseWord = Buffer.from("false");

/** The end of a fixed run of bytes; may lie beyond the run that is scanned, which the caller checks last. */
export function scanWord(word: Uint8Array, bytes: Uint8Array, start: number): number {
  for (let at = 0; at < word.length; at += 1) {
    if (bytes[start + at] !== word[at]) return -1;
  }
  return start + word.length;
}

/** A string with its quotes; sets `seen.high` for bytes of 0x80 and more. */
export function scanString(bytes: Uint8Array, start: number, end: number): number {
  if (bytes[start] !== 0x22) return -1;
  let at = start + 1;
  for (;;) {
    at = skipPlain(at, end);
    if (at >= end) return -1;
    const byte = bytes[at] as number;
    if (byte === 0x22) return at + 1;
    if (byte >= 0x80) seen.high = true;
    else if (byte < 0x20) return -1;
    else if (byte === 0x5c) {
      const length = escapeLength(bytes, at + 1, end);
      if (length === 0) return -1;
      at += length;
    }
    at += 1;
  }
}

/**
 * Skips four bytes at once while they are ASCII without quote, backslash and control character (a
 * byte whose highest bit is set, or becomes so by subtraction, is none of these); twice as fast as a
 * loop over bytes.
 */
export function skipPlain(start: number, end: number): number {
  let at = start;
  for (const last = end - 4; at <= last; at += 4) {
    const word = words.getUint32(at, true);
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

/** A string of padded base64. */
export function scanBase64(bytes: Uint8Array, start: number, end: number): number {
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

/** An int64 has 19 digits. */
const digitsMax = 19;

/** Every integer up to here is an int64, however a double rounds it. */
export const longMax = 9.2e18;

/** An integer within the bounds, which are at most `longMax`. */
export function scanInteger(
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
  if (at === digits || at - digits > digitsMax || (bytes[digits] === 0x30 && at - digits > 1))
    return -1;
  if (at < end && isOfNumber(bytes[at] as number)) return -1;
  // "-0" is an integer to Jackson and not to everyone.
  if (negative && value === 0) return -1;
  return (negative ? -value < min : value > max) ? -1 : at;
}

/** What would go on with a number: `.`, `e`, `E`. */
function isOfNumber(byte: number): boolean {
  return byte === 0x2e || (byte | 0x20) === 0x65;
}

/** A number of up to 25 characters; with more, or a larger exponent, it may be beyond its type. */
export function scanFloating(
  bytes: Uint8Array,
  start: number,
  end: number,
  exponentDigitsMax: number,
): number {
  let at = bytes[start] === 0x2d ? start + 1 : start;
  const digits = at;
  while (at < end && isDigit(bytes[at])) at += 1;
  if (at === digits || (bytes[digits] === 0x30 && at - digits > 1)) return -1;
  // An integer "-0" is 0.0 to Jackson.
  const isZero = bytes[digits] === 0x30;
  if (isZero && digits > start && (at >= end || !isOfNumber(bytes[at] as number))) return -1;
  if (at < end && bytes[at] === 0x2e) {
    const fraction = at + 1;
    at = fraction;
    while (at < end && isDigit(bytes[at])) at += 1;
    if (at === fraction) return -1;
  }
  if (at - start > 25) return -1;
  if (at >= end || !isOfNumber(bytes[at] as number)) return at;
  // A second point is no exponent.
  if (bytes[at] === 0x2e) return -1;
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

/** Any JSON value whose numbers are certain to fit an int64 or a float64. */
export function scanAny(bytes: Uint8Array, start: number, end: number, depth: number): number {
  switch (bytes[start]) {
    case 0x22:
      return scanString(bytes, start, end);
    case 0x7b:
      return depth > depthMax ? -1 : scanMembers(bytes, start, end, depth, 0x7d);
    case 0x5b:
      return depth > depthMax ? -1 : scanMembers(bytes, start, end, depth, 0x5d);
    case 0x74:
      return scanWord(trueWord, bytes, start);
    case 0x66:
      return scanWord(falseWord, bytes, start);
    case 0x6e:
      return scanWord(nullWord, bytes, start);
    default:
      return isInteger(bytes, start, end)
        ? scanInteger(bytes, start, end, -longMax, longMax)
        : scanFloating(bytes, start, end, 2);
  }
}

/** Whether a number there would have neither point nor exponent. */
function isInteger(bytes: Uint8Array, start: number, end: number): boolean {
  let at = bytes[start] === 0x2d ? start + 1 : start;
  while (at < end && isDigit(bytes[at])) at += 1;
  return at >= end || !isOfNumber(bytes[at] as number);
}

/** An object's members or an array's items, with blanks where JSON has them. */
function scanMembers(
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
      at = scanString(bytes, at, end);
      if (at < 0) return -1;
      at = skipBlanks(bytes, at, end);
      if (bytes[at] !== 0x3a) return -1;
      at = skipBlanks(bytes, at + 1, end);
    }
    at = scanAny(bytes, at, end, depth + 1);
    if (at < 0 || at >= end) return -1;
    at = skipBlanks(bytes, at, end);
    const next = bytes[at];
    at += 1;
    if (next === closing) return at;
    if (next !== 0x2c) return -1;
    at = skipBlanks(bytes, at, end);
  }
}
