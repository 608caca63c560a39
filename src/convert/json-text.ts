/** The text of a JSON document in whichever Unicode encoding it is, as Jackson finds out. */
import { Buffer } from "node:buffer";
import { TextDecoder } from "node:util";
import { invalid } from "../record/payload.ts";
import { decodeValidUtf8 } from "../record/utf8.ts";

type Encoding = "utf-8" | "utf-16le" | "utf-16be" | "utf-32le" | "utf-32be";

/**
 * What `parse` reads in the document, without its byte order mark. What stands behind that need not be a
 * text, for Jackson does not look at it.
 * @throws RecordError for UTF-8 that is malformed, and what `parse` throws
 */
export function parseJsonText<T>(
  bytes: Uint8Array,
  start: number,
  end: number,
  parse: (text: string) => T,
): T {
  const run = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
  const text = decode(run, encodingOf(run));
  if (text !== undefined) return parse(withoutMark(text));
  try {
    return parse(withoutMark(validBeginning(run)));
  } catch {
    throw invalid("the text is not valid UTF-8");
  }
}

function withoutMark(text: string): string {
  return text.startsWith("\ufeff") ? text.slice(1) : text;
}

/** What is before the first malformed byte, and U+FFFD in place of that, with which no value goes on. */
function validBeginning(run: Buffer): string {
  const text = run.toString("utf8");
  let from = 0;
  let length = 0;
  for (let at = text.indexOf("\ufffd"); at >= 0; at = text.indexOf("\ufffd", at + 1)) {
    length += Buffer.byteLength(text.slice(from, at));
    if (!run.subarray(length, length + 3).equals(replacement)) return text.slice(0, at + 1);
    from = at;
  }
  return text;
}

const replacement = Buffer.from("\ufffd");

function encodingOf(run: Uint8Array): Encoding {
  const first = run[0] ?? 1;
  const second = run[1] ?? 1;
  const third = run[2] ?? 1;
  const fourth = run[3] ?? 1;
  if (run.length >= 4) {
    if (first === 0 && second === 0 && (third === 0 || (third === 0xfe && fourth === 0xff))) {
      return "utf-32be";
    }
    const isMark = first === 0xff && second === 0xfe;
    if (third === 0 && fourth === 0 && (isMark || second === 0)) return "utf-32le";
  }
  if (run.length >= 2) {
    if ((first === 0xfe && second === 0xff) || (first === 0 && second !== 0)) return "utf-16be";
    if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0)) return "utf-16le";
  }
  return "utf-8";
}

/** Undefined for malformed UTF-8. */
function decode(run: Buffer, encoding: Encoding): string | undefined {
  if (encoding === "utf-8") return decodeValidUtf8(run);
  if (encoding === "utf-16le" || encoding === "utf-16be") {
    return new TextDecoder(encoding, { ignoreBOM: true }).decode(run);
  }
  let text = "";
  for (let at = 0; at + 4 <= run.length; at += 4) {
    const point = encoding === "utf-32le" ? run.readUInt32LE(at) : run.readUInt32BE(at);
    if (point > 0x10_ffff) throw invalid("the text is not valid UTF-32");
    text += String.fromCodePoint(point);
  }
  return text;
}
