/**
 * Reads java.util.regex's notation (Java 17), with its complaints.
 *
 * @see reference: the documentation of java.util.regex.Pattern
 */
import type { ConfigError } from "./error.ts";
import { type CharSet, single } from "./java-char-set.ts";
import { ClassParser } from "./java-pattern-class.ts";
import { Escapes } from "./java-pattern-escape.ts";
import { lengthOf } from "./java-pattern-length.ts";
import {
  type Anchor,
  anyCharacter,
  emptyNode,
  type Greed,
  lineBreak,
  type PatternNode,
  setOf,
} from "./java-pattern-node.ts";
import { type PatternFlags, PatternReader } from "./java-pattern-reader.ts";

export interface ParsedPattern {
  readonly node: PatternNode;
  /** Numbered groups, without the whole. */
  readonly groups: number;
  readonly names: ReadonlyMap<string, number>;
  /** Whether `\1` or `\k<name>` occurs. */
  readonly hasReferences: boolean;
}

/** @throws ConfigError with the text of Java's PatternSyntaxException */
export function parseJavaPattern(text: string): ParsedPattern {
  return new PatternParser(text).whole();
}

/** Deeper groups would use up the stack. */
const depthMax = 250;
const repetitionMax = 2_147_483_647;

class PatternParser {
  readonly #reader: PatternReader;
  readonly #escapes: Escapes;
  readonly #classes: ClassParser;
  readonly #names = new Map<string, number>();
  #groups = 0;
  #hasReferences = false;
  #depth = 0;

  constructor(text: string) {
    this.#reader = new PatternReader(text);
    this.#escapes = new Escapes(this.#reader);
    this.#classes = new ClassParser(this.#reader, this.#escapes);
  }

  whole(): ParsedPattern {
    const node = this.#choice();
    if (!this.#reader.isAtEnd) {
      throw this.#error(
        this.#reader.peek() === ")" ? "Unmatched closing ')'" : "Unexpected internal error",
      );
    }
    const [groups, names, hasReferences] = [this.#groups, this.#names, this.#hasReferences];
    return { node, groups, names, hasReferences };
  }

  #error(complaint: string): ConfigError {
    return this.#reader.error(complaint);
  }

  #choice(): PatternNode {
    const nodes: PatternNode[] = [];
    for (;;) {
      nodes.push(this.#sequence());
      if (this.#reader.peek() !== "|") break;
      this.#reader.next();
    }
    return nodes.length === 1 ? (nodes[0] ?? emptyNode) : { at: "choice", nodes };
  }

  #sequence(): PatternNode {
    const nodes: PatternNode[] = [];
    for (;;) {
      const char = this.#reader.peek();
      if (char === "|" || char === ")" || (char === "" && this.#reader.isAtEnd)) break;
      const node = this.#piece(char);
      if (node !== undefined) nodes.push(node);
    }
    return nodes.length === 1 ? (nodes[0] ?? emptyNode) : { at: "sequence", nodes };
  }

  /** Undefined for what only switches flags. */
  #piece(char: string): PatternNode | undefined {
    const reader = this.#reader;
    switch (char) {
      case "(": {
        const group = this.#group();
        return group === undefined ? undefined : this.#repeated(group);
      }
      case "[":
        return this.#repeated(setOf(this.#classes.parse()));
      case "\\":
        return this.#repeated(this.#escaped());
      case "^":
        reader.next();
        return this.#repeated(this.#lineStart());
      case "$":
        reader.next();
        return this.#repeated(anchorNode(this.#lineEnd(reader.flags.multiline)));
      case ".":
        reader.next();
        return this.#repeated(setOf(anyCharacter(reader.flags)));
      case "?":
      case "*":
      case "+":
        reader.next();
        throw this.#error(`Dangling meta character '${char}'`);
      case "{":
        // As Java has it: a repetition of nothing.
        return this.#repeated(emptyNode);
      default:
        reader.next();
        return this.#repeated(setOf(this.#literal(char.codePointAt(0) ?? 0)));
    }
  }

  #literal(code: number): CharSet {
    return single(code, foldOf(this.#reader.flags));
  }

  #lineStart(): PatternNode {
    const { multiline, unixLines } = this.#reader.flags;
    if (!multiline) return anchorNode("start");
    return anchorNode(unixLines ? "unix-line-start" : "line-start");
  }

  #lineEnd(multiline: boolean): Anchor {
    const end = multiline ? "line-end" : "last-line-end";
    return this.#reader.flags.unixLines ? `unix-${end}` : end;
  }

  /** The cursor is at the backslash. */
  #escaped(): PatternNode {
    const letter = this.#reader.raw(1);
    const set = this.#escapes.set();
    if (set !== undefined) return setOf(set);
    const anchor = this.#anchor(letter);
    if (anchor !== undefined) {
      this.#reader.cursor += 2;
      return anchorNode(anchor);
    }
    switch (letter) {
      case "R":
        this.#reader.cursor += 2;
        return lineBreak;
      case "X":
        throw this.#error("\\X (a grapheme) is not supported by this host: use . or a class");
      case "k":
        return this.#namedReference();
      default:
        if (letter >= "1" && letter <= "9") return this.#reference(Number(letter));
        return setOf(this.#literal(this.#escapes.code(false)));
    }
  }

  #anchor(letter: string): Anchor | undefined {
    const { unicodeClasses } = this.#reader.flags;
    switch (letter) {
      case "A":
      // Each match is the first one of its text.
      case "G":
        return "start";
      case "B":
        return unicodeClasses ? "no-unicode-word-bound" : "no-word-bound";
      case "b":
        if (this.#reader.raw(2) === "{" && this.#reader.raw(3) === "g") {
          throw this.#error("\\b{g} is not supported by this host: use \\b");
        }
        return unicodeClasses ? "unicode-word-bound" : "word-bound";
      case "Z":
        return this.#lineEnd(false);
      case "z":
        return "end";
      default:
        return undefined;
    }
  }

  #namedReference(): PatternNode {
    const reader = this.#reader;
    reader.cursor += 2;
    if (reader.read() !== "<") {
      throw this.#error("\\k is not followed by '<' for named capturing group");
    }
    const name = this.#groupName(reader.read());
    const group = this.#names.get(name);
    if (group === undefined) {
      throw this.#error(`named capturing group <${name}> does not exist`);
    }
    this.#hasReferences = true;
    return { at: "reference", group, fold: foldOf(reader.flags) };
  }

  /** As many digits as make the number of a group that has begun. */
  #reference(first: number): PatternNode {
    const reader = this.#reader;
    reader.cursor += 2;
    let group = first;
    for (;;) {
      const digit = reader.peek();
      if (!/^[0-9]$/.test(digit) || group * 10 + Number(digit) > this.#groups) break;
      group = group * 10 + Number(digit);
      reader.read();
    }
    this.#hasReferences = true;
    return { at: "reference", group, fold: foldOf(reader.flags) };
  }

  #groupName(first: string): string {
    if (!/^[A-Za-z]$/.test(first)) {
      throw this.#error("capturing group name does not start with a Latin letter");
    }
    let name = "";
    let char = first;
    while (/^[A-Za-z0-9]$/.test(char)) {
      name += char;
      char = this.#reader.read();
    }
    if (char !== ">") throw this.#error("named capturing group is missing trailing '>'");
    return name;
  }

  /** The cursor is at the parenthesis. Undefined for `(?i)`. */
  #group(): PatternNode | undefined {
    const reader = this.#reader;
    const outer = { ...reader.flags };
    this.#depth += 1;
    if (this.#depth > depthMax) throw this.#error(`More than ${depthMax} groups in each other`);
    const node = reader.next() === "?" ? this.#specialGroup() : this.#capture();
    this.#depth -= 1;
    if (node === undefined) return undefined;
    reader.accept(")", "Unclosed group");
    reader.flags = outer;
    return node;
  }

  #capture(): PatternNode {
    this.#groups += 1;
    const group = this.#groups;
    return { at: "capture", group, inner: this.#choice() };
  }

  /** The cursor is at the question mark. */
  #specialGroup(): PatternNode | undefined {
    const reader = this.#reader;
    const kind = reader.raw(1);
    reader.cursor += 2;
    switch (kind) {
      case ":":
        return { at: "group", inner: this.#choice() };
      case "=":
      case "!":
        return { at: "look", behind: false, negative: kind === "!", inner: this.#choice() };
      case ">":
        return { at: "atomic", inner: this.#choice() };
      case "<":
        return this.#lookBehindOrName();
      case "$":
      case "@":
        throw this.#error("Unknown group type");
      default: {
        reader.cursor -= 1;
        this.#switchFlags();
        const end = reader.read();
        if (end === ")") return undefined;
        if (end !== ":") throw this.#error("Unknown inline modifier");
        return { at: "group", inner: this.#choice() };
      }
    }
  }

  #lookBehindOrName(): PatternNode {
    const first = this.#reader.read();
    if (first !== "=" && first !== "!") {
      const name = this.#groupName(first);
      if (this.#names.has(name)) {
        throw this.#error(`Named capturing group <${name}> is already defined`);
      }
      this.#names.set(name, this.#groups + 1);
      return this.#capture();
    }
    const inner = this.#choice();
    if (lengthOf(inner) === undefined) {
      throw this.#error("Look-behind group does not have an obvious maximum length");
    }
    return { at: "look", behind: true, negative: first === "!", inner };
  }

  #switchFlags(): void {
    const { flags } = this.#reader;
    let on = true;
    for (let letter = this.#reader.peek(); ; letter = this.#reader.next()) {
      if (letter === "-" && on) {
        on = false;
      } else if (letter === "U") {
        flags.unicodeClasses = on;
        flags.unicodeCase = on;
      } else if (letter === "c") {
        throw this.#error("(?c) (canonical equivalence) is not supported by this host");
      } else {
        const name = flagNames[letter];
        if (name === undefined) return;
        flags[name] = on;
      }
    }
  }

  /** With the quantifier that follows, if there is one. */
  #repeated(inner: PatternNode): PatternNode {
    const reader = this.#reader;
    switch (reader.peek()) {
      case "?":
        reader.next();
        return this.#repeat(inner, 0, 1);
      case "*":
        reader.next();
        return this.#repeat(inner, 0, Number.POSITIVE_INFINITY);
      case "+":
        reader.next();
        return this.#repeat(inner, 1, Number.POSITIVE_INFINITY);
      case "{":
        return this.#counted(inner);
      default:
        return inner;
    }
  }

  #counted(inner: PatternNode): PatternNode {
    const reader = this.#reader;
    if (!/^[0-9]$/.test(reader.raw(1))) {
      reader.cursor += 2;
      throw this.#error("Illegal repetition");
    }
    reader.cursor += 1;
    const min = this.#count();
    let max = min;
    if (reader.peek() === ",") {
      max = reader.next() === "}" ? Number.POSITIVE_INFINITY : this.#count();
    }
    reader.cursor += 1;
    if (reader.raw(-1) !== "}") throw this.#error("Unclosed counted closure");
    if (max < min) throw this.#error("Illegal repetition range");
    return this.#repeat(inner, min, max);
  }

  #count(): number {
    let count = 0;
    for (let digit = this.#reader.peek(); /^[0-9]$/.test(digit); digit = this.#reader.next()) {
      count = count * 10 + Number(digit);
      if (count > repetitionMax) {
        this.#reader.cursor += 1;
        throw this.#error("Illegal repetition range");
      }
    }
    return count;
  }

  #repeat(repeated: PatternNode, min: number, max: number): PatternNode {
    // Repeated, a pair is not taken apart again.
    const inner: PatternNode =
      repeated === lineBreak ? { at: "atomic", inner: repeated } : repeated;
    const sign = this.#reader.peek();
    const greed: Greed = sign === "?" ? "lazy" : sign === "+" ? "possessive" : "greedy";
    if (greed !== "greedy") this.#reader.next();
    return { at: "repeat", min, max, greed, inner };
  }
}

const flagNames: Readonly<Record<string, keyof PatternFlags>> = {
  i: "ignoreCase",
  m: "multiline",
  s: "dotAll",
  d: "unixLines",
  u: "unicodeCase",
  x: "comments",
};

function foldOf({ ignoreCase, unicodeCase }: PatternFlags): "none" | "ascii" | "unicode" {
  if (!ignoreCase) return "none";
  return unicodeCase ? "unicode" : "ascii";
}

function anchorNode(anchor: Anchor): PatternNode {
  return { at: "anchor", anchor };
}
