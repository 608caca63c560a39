/** Where `^`, `$`, `\b` and the like hold in java.util.regex. */
import { type CharSet, isMark, isUnicodeWordPart, isWordPart } from "./java-char-set.ts";
import type { Anchor } from "./java-pattern-node.ts";

const lineEnds = "\n\r\x85\u2028\u2029";

/** Whether it holds between two characters of the text, or at its ends. */
export function holdsAt(anchor: Anchor, text: string, at: number): boolean {
  const end = text.length;
  const char = text.charAt(at);
  const before = at === 0 ? "" : text.charAt(at - 1);
  switch (anchor) {
    case "start":
      return at === 0;
    case "end":
      return at === end;
    case "line-start":
      // Not at the end of the text, nor between the two of a line's end.
      if (at === end) return false;
      return at === 0 || (lineEnds.includes(before) && !(before === "\r" && char === "\n"));
    case "unix-line-start":
      return at < end && (at === 0 || before === "\n");
    case "last-line-end":
      if (at < end - 2 || (at === end - 2 && text.slice(at) !== "\r\n")) return false;
      return at === end || isLineEndAt(char, before);
    case "line-end":
      return at === end || isLineEndAt(char, before);
    case "unix-last-line-end":
      return at === end || (at === end - 1 && char === "\n");
    case "unix-line-end":
      return at === end || char === "\n";
    case "word-bound":
      return isWordBound(isWordPart, text, at);
    case "no-word-bound":
      return !isWordBound(isWordPart, text, at);
    case "unicode-word-bound":
      return isWordBound(isUnicodeWordPart, text, at);
    case "no-unicode-word-bound":
      return !isWordBound(isUnicodeWordPart, text, at);
  }
}

function isLineEndAt(char: string, before: string): boolean {
  return lineEnds.includes(char) && !(char === "\n" && before === "\r");
}

function isWordBound(part: CharSet, text: string, at: number): boolean {
  const left = at > 0 && isPart(part, text, at - 1);
  const right = at < text.length && isPart(part, text, at);
  return left !== right;
}

/** A mark belongs to what is before it. */
function isPart(part: CharSet, text: string, at: number): boolean {
  for (let place = at; place >= 0; place -= 1) {
    const code = text.codePointAt(place) ?? 0;
    if (part(code) || code >= 0xdc00) return part(code);
    if (!isMark(code)) return false;
  }
  return false;
}
