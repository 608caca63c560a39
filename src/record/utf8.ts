/** UTF-8 as Java reads and writes it. */
import { Buffer, isAscii, isUtf8 } from "node:buffer";

/** Up to here a loop beats the view and the call into the runtime. */
const loopBytesMax = 64;

/** Whether the run of bytes is valid UTF-8. Nothing is allocated for short ASCII. */
export function isUtf8Run(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  const loopEnd = Math.min(end, start + loopBytesMax);
  while (at < loopEnd && (bytes[at] as number) < 0x80) at += 1;
  return at === end || isUtf8(bytes.subarray(at, end));
}

/** The text; undefined if it is malformed. */
export function decodeValidUtf8(run: Buffer): string | undefined {
  // One byte a character needs no decoding.
  if (isAscii(run)) return run.toString("latin1");
  return isUtf8(run) ? run.toString("utf8") : undefined;
}

/** The text, with U+FFFD for what is malformed: one for each part that Java replaces by one. */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string {
  const run = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
  const valid = decodeValidUtf8(run);
  if (valid !== undefined) return valid;
  // Node replaces each byte of an encoded surrogate, Java all three at once.
  const copy = Buffer.from(run);
  let length = 0;
  for (let at = 0; at < run.length; at += 1) {
    copy[length] = run[at] as number;
    const isSurrogate = run[at] === 0xed && ((run[at + 1] ?? 0) & 0xe0) === 0xa0;
    if (isSurrogate) at += isContinuation(run[at + 2]) ? 2 : 1;
    length += 1;
  }
  return copy.toString("utf8", 0, length);
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

const loneSurrogates = /\p{Surrogate}/gu;

/** The bytes of a text, with `?` for a lone surrogate. */
export function encodeUtf8(text: string): Buffer {
  return Buffer.from(text.isWellFormed() ? text : text.replace(loneSurrogates, "?"), "utf8");
}
