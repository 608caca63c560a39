/** JSON strings written from bytes to bytes, without a JavaScript string between them. */
import { Buffer, isUtf8 } from "node:buffer";
import type { ByteScratch } from "./byte-scratch.ts";
import { beginScan, skipPlain } from "./json-scan.ts";
import { invalid } from "./payload.ts";

/** Longer runs are worth the objects that calls into the runtime need. */
const viewBytesMin = 64;

const quote = 0x22;
const backslash = 0x5c;
const hexDigits = Uint8Array.from(Buffer.from("0123456789ABCDEF"));
const base64Signs = Uint8Array.from(
  Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
);
/** The letter of a two-character escape by what it stands for, else 0. */
const shortEscapes = new Uint8Array(0x80);
for (const [unit, letter] of ['""', "\\\\", "\bb", "\ff", "\nn", "\rr", "\tt"]) {
  shortEscapes[(unit as string).charCodeAt(0)] = (letter as string).charCodeAt(0);
}

/**
 * Appends UTF-8 text as a JSON string with Jackson's escapes.
 * @throws RecordError where the text is no UTF-8.
 */
export function appendJsonString(
  out: ByteScratch,
  text: Uint8Array,
  start: number,
  end: number,
): void {
  // A control character becomes six, four bytes of an astral one twelve.
  out.reserve(6 * (end - start) + 2);
  const { bytes } = out;
  let to = out.length;
  let high = false;
  bytes[to++] = quote;
  beginScan(text);
  for (let at = start; at < end; at += 1) {
    const plainEnd = skipPlain(at, end);
    if (plainEnd - at > viewBytesMin) {
      bytes.set(text.subarray(at, plainEnd), to);
      to += plainEnd - at;
      at = plainEnd;
    } else {
      while (at < plainEnd) bytes[to++] = text[at++] as number;
    }
    if (at >= end) break;
    const byte = text[at] as number;
    if (byte >= 0x20 && byte !== quote && byte !== backslash && byte < 0x80) {
      bytes[to++] = byte;
    } else if (byte < 0x80) {
      to = escapeAscii(bytes, to, byte);
    } else {
      if (!high && !isUtf8(text.subarray(at, end))) throw invalid("a text is not valid UTF-8");
      high = true;
      if (byte < 0xf0) {
        bytes[to++] = byte;
      } else {
        to = escapeAstral(bytes, to, text, at);
        at += 3;
      }
    }
  }
  bytes[to++] = quote;
  out.length = to;
}

function escapeAscii(bytes: Uint8Array, start: number, unit: number): number {
  bytes[start] = backslash;
  const letter = shortEscapes[unit] as number;
  if (letter === 0) return escapeUnit(bytes, start, unit);
  bytes[start + 1] = letter;
  return start + 2;
}

function escapeUnit(bytes: Uint8Array, start: number, unit: number): number {
  bytes[start] = backslash;
  bytes[start + 1] = 0x75;
  for (let digit = 0; digit < 4; digit += 1) {
    bytes[start + 2 + digit] = hexDigits[(unit >> (12 - 4 * digit)) & 15] as number;
  }
  return start + 6;
}

function escapeAstral(bytes: Uint8Array, start: number, text: Uint8Array, at: number): number {
  const bits = (index: number) => (text[at + index] as number) & 0x3f;
  const point = (((text[at] as number) & 7) << 18) | (bits(1) << 12) | (bits(2) << 6) | bits(3);
  const offset = point - 0x1_0000;
  const next = escapeUnit(bytes, start, 0xd800 | (offset >> 10));
  return escapeUnit(bytes, next, 0xdc00 | (offset & 0x3ff));
}

/** Appends padded base64, without quotes. */
export function appendBase64(out: ByteScratch, from: Uint8Array, start: number, end: number): void {
  out.reserve(4 * Math.ceil((end - start) / 3));
  const { bytes } = out;
  if (end - start > viewBytesMin) {
    const run = Buffer.from(from.buffer, from.byteOffset + start, end - start);
    out.length += bytes.write(run.toString("base64"), out.length, "latin1");
    return;
  }
  let to = out.length;
  for (let at = start; at < end; at += 3) {
    const first = from[at] as number;
    const second = at + 1 < end ? (from[at + 1] as number) : 0;
    const third = at + 2 < end ? (from[at + 2] as number) : 0;
    bytes[to] = base64Signs[first >> 2] as number;
    bytes[to + 1] = base64Signs[((first & 3) << 4) | (second >> 4)] as number;
    bytes[to + 2] =
      at + 1 < end ? (base64Signs[((second & 15) << 2) | (third >> 6)] as number) : 0x3d;
    bytes[to + 3] = at + 2 < end ? (base64Signs[third & 63] as number) : 0x3d;
    to += 4;
  }
  out.length = to;
}
