/** Reads `[…]` as java.util.regex does: unions, ranges, intersections, classes in classes. */
import { both, type CharSet, foldedRange, not, single, union } from "./java-char-set.ts";
import type { Escapes } from "./java-pattern-escape.ts";
import type { PatternReader } from "./java-pattern-reader.ts";

/** Deeper classes would use up the stack. */
const depthMax = 250;

/** Characters named one by one, collected while a class is read. */
interface Loose {
  set: CharSet | undefined;
}

export class ClassParser {
  readonly #reader: PatternReader;
  readonly #escapes: Escapes;
  #depth = 0;

  constructor(reader: PatternReader, escapes: Escapes) {
    this.#reader = reader;
    this.#escapes = escapes;
  }

  /** The cursor is at the bracket, and behind the other one afterwards. @throws ConfigError */
  parse(): CharSet {
    return this.#class(true);
  }

  /** Without `consume`: what stands right of `&&`, up to the bracket which is left there. */
  #class(consume: boolean): CharSet {
    const reader = this.#reader;
    this.#depth += 1;
    if (this.#depth > depthMax) throw reader.error(`More than ${depthMax} classes in each other`);
    let char = reader.next();
    const isNegated = char === "^" && reader.raw(-1) === "[";
    if (isNegated) char = reader.next();
    const set = this.#items(char, consume);
    this.#depth -= 1;
    return isNegated ? not(set) : set;
  }

  #items(first: string, consume: boolean): CharSet {
    const reader = this.#reader;
    const loose: Loose = { set: undefined };
    let hasLoose = false;
    let set: CharSet | undefined;
    for (let char = first; ; char = reader.peek()) {
      if (char === "[") {
        set = unionOf(set, this.#class(true));
        continue;
      }
      if (char === "&" && reader.raw(1) === "&") {
        const left = hasLoose ? unionOf(set, loose.set) : set;
        hasLoose = false;
        set = this.#intersection(left);
        continue;
      }
      if (char === "" && reader.isAtEnd) throw reader.error("Unclosed character class");
      if (char === "]" && (set !== undefined || hasLoose)) {
        if (consume) reader.next();
        return unionOf(set, hasLoose ? loose.set : undefined) as CharSet;
      }
      const item = this.#item(loose);
      if (item === undefined) hasLoose = true;
      else set = unionOf(set, item);
    }
  }

  /** The cursor is at the first `&`. */
  #intersection(left: CharSet | undefined): CharSet {
    const reader = this.#reader;
    reader.next();
    let right: CharSet | undefined;
    for (let char = reader.next(); char !== "]" && char !== "&"; char = reader.peek()) {
      if (reader.isAtEnd) throw reader.error("Unclosed character class");
      if (char !== "[") reader.cursor -= 1;
      right = unionOf(right, this.#class(char === "["));
    }
    if (left !== undefined && right !== undefined) return both(left, right);
    const only = left ?? right;
    if (only === undefined) throw reader.error("Bad class syntax");
    return only;
  }

  /** Undefined for a single character, which goes to the loose ones. */
  #item(loose: Loose): CharSet | undefined {
    const reader = this.#reader;
    const set = reader.peek() === "\\" ? this.#escapedSet() : undefined;
    if (set !== undefined) return set;
    const code = this.#code();
    if (reader.peek() === "-" && reader.raw(1) !== "[" && reader.raw(1) !== "]") {
      reader.next();
      if (reader.isAtEnd) reader.cursor += 1;
      const isSet = reader.raw() === "\\" && /^[dDhHsSVwW]$/.test(reader.raw(1));
      if (isSet) reader.cursor += 2;
      const end = isSet || reader.isAtEnd ? -1 : this.#code();
      if (end < code) throw reader.error("Illegal character range");
      return foldedRange(code, end, this.#fold());
    }
    const only = single(code, this.#fold());
    if (code > 0xff) return only;
    loose.set = unionOf(loose.set, only);
    return undefined;
  }

  /** `\v` at the beginning of a range is a character. */
  #escapedSet(): CharSet | undefined {
    const isRange = this.#reader.raw(1) === "v" && this.#reader.raw(2) === "-";
    return isRange ? undefined : this.#escapes.set();
  }

  #code(): number {
    const reader = this.#reader;
    if (reader.peek() === "\\") return this.#escapes.code(true);
    const char = reader.raw();
    if (reader.isAtEnd) throw reader.error("Unclosed character class");
    reader.next();
    return char.codePointAt(0) ?? 0;
  }

  #fold(): "none" | "ascii" | "unicode" {
    const { ignoreCase, unicodeCase } = this.#reader.flags;
    if (!ignoreCase) return "none";
    return unicodeCase ? "unicode" : "ascii";
  }
}

function unionOf(one: CharSet | undefined, other: CharSet | undefined): CharSet | undefined {
  if (one === undefined) return other;
  return other === undefined ? one : union(one, other);
}
