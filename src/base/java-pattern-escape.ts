/** What a backslash stands for in a pattern of java.util.regex: a character or a set. */
import {
  type CharSet,
  escapedSet,
  namedSet,
  not,
  propertySet,
  scriptSet,
  unicodePosixSet,
} from "./java-char-set.ts";
import type { PatternReader } from "./java-pattern-reader.ts";

const controls: Readonly<Record<string, number>> = {
  a: 0x07,
  e: 0x1b,
  f: 0x0c,
  n: 0x0a,
  r: 0x0d,
  t: 0x09,
};

const codeMax = 0x10ffff;

export class Escapes {
  readonly #reader: PatternReader;

  constructor(reader: PatternReader) {
    this.#reader = reader;
  }

  /** `\d`, `\p{Lu}` and the like, read past; undefined for anything else, with the cursor where it was. */
  set(): CharSet | undefined {
    const letter = this.#reader.raw(1);
    if (/^[dDhHsSvVwW]$/.test(letter)) {
      this.#reader.cursor += 2;
      return escapedSet(letter, this.#reader.flags.unicodeClasses);
    }
    if (letter !== "p" && letter !== "P") return undefined;
    this.#reader.cursor += 2;
    const set = this.#family();
    return letter === "P" ? not(set) : set;
  }

  /** The one character that the escape stands for. @throws ConfigError */
  code(inClass: boolean): number {
    const reader = this.#reader;
    const letter = reader.raw(1);
    reader.cursor += 2;
    const control = controls[letter];
    if (control !== undefined) return control;
    switch (letter) {
      case "0":
        return this.#octal();
      case "c":
        if (reader.isAtEnd) throw reader.error("Illegal control escape sequence");
        return (reader.read().codePointAt(0) ?? 0) ^ 64;
      case "u":
        return this.#unicode();
      case "x":
        return this.#hexadecimal();
      case "v":
        // Only at the end of a range does it stand for the one character.
        if (inClass) return 0x0b;
        break;
      case "N":
        throw reader.error("\\N{name} is not supported by this host: use \\x{number}");
      default:
        break;
    }
    if (letter === "") {
      throw reader.error(inClass ? "Unclosed character class" : "Unexpected internal error");
    }
    if (/^[A-Za-z1-9]$/.test(letter)) {
      throw reader.error("Illegal/unsupported escape sequence");
    }
    return letter.codePointAt(0) ?? 0;
  }

  #octal(): number {
    const reader = this.#reader;
    let code = 0;
    let digits = 0;
    while (digits < 3 && /^[0-7]$/.test(reader.peek()) && code * 8 < 0o400) {
      code = code * 8 + Number(reader.read());
      digits += 1;
    }
    if (digits > 0) return code;
    reader.cursor += 1;
    throw reader.error("Illegal octal escape sequence");
  }

  #hexadecimal(): number {
    const reader = this.#reader;
    const first = reader.read();
    if (isHex(first)) {
      const second = reader.read();
      if (isHex(second)) return Number.parseInt(first + second, 16);
    } else if (first === "{" && isHex(reader.peek())) {
      let code = 0;
      let digit = reader.read();
      for (; isHex(digit); digit = reader.read()) {
        code = code * 16 + Number.parseInt(digit, 16);
        if (code > codeMax) throw reader.error("Hexadecimal codepoint is too big");
      }
      if (digit !== "}") throw reader.error("Unclosed hexadecimal escape sequence");
      return code;
    }
    throw reader.error("Illegal hexadecimal escape sequence");
  }

  /** Two escapes may be the halves of one character. */
  #unicode(): number {
    const reader = this.#reader;
    const high = this.#unit();
    if (high < 0xd800 || high > 0xdbff) return high;
    const mark = reader.cursor;
    if (reader.read() === "\\" && reader.read() === "u") {
      const low = this.#unit();
      if (low >= 0xdc00 && low <= 0xdfff) return (high - 0xd800) * 0x400 + low - 0xdc00 + 0x10000;
    }
    reader.cursor = mark;
    return high;
  }

  #unit(): number {
    let digits = "";
    while (digits.length < 4) {
      const digit = this.#reader.read();
      if (!isHex(digit)) throw this.#reader.error("Illegal Unicode escape sequence");
      digits += digit;
    }
    return Number.parseInt(digits, 16);
  }

  #family(): CharSet {
    const reader = this.#reader;
    if (reader.peek() !== "{") return this.#named(reader.read());
    reader.cursor += 1;
    let name = "";
    for (; reader.raw() !== "}"; reader.cursor += 1) {
      if (reader.isAtEnd) {
        reader.cursor += 1;
        throw reader.error("Unclosed character family");
      }
      name += reader.raw();
    }
    reader.cursor += 1;
    if (name === "") throw reader.error("Empty character family");
    const equals = name.indexOf("=");
    return equals < 0
      ? this.#named(name)
      : this.#valued(name.slice(0, equals).toLowerCase(), name.slice(equals + 1));
  }

  #valued(name: string, value: string): CharSet {
    const { ignoreCase } = this.#reader.flags;
    let set: CharSet | undefined;
    if (name === "sc" || name === "script") set = scriptSet(value);
    if (name === "gc" || name === "general_category") set = namedSet(value, ignoreCase);
    if (name === "blk" || name === "block") throw this.#noBlocks(value);
    if (set !== undefined) return set;
    throw this.#reader.error(`Unknown Unicode property {name=<${name}>, value=<${value}>}`);
  }

  #named(name: string): CharSet {
    const { ignoreCase, unicodeClasses } = this.#reader.flags;
    if (name.startsWith("In")) throw this.#noBlocks(name.slice(2));
    let set: CharSet | undefined;
    if (name.startsWith("Is")) {
      const rest = name.slice(2);
      set = propertySet(rest, ignoreCase) ?? namedSet(rest, ignoreCase) ?? scriptSet(rest);
    } else {
      if (unicodeClasses) set = unicodePosixSet(name, ignoreCase);
      set ??= namedSet(name, ignoreCase);
    }
    if (set !== undefined) return set;
    throw this.#reader.error(`Unknown character property name {${name}}`);
  }

  #noBlocks(name: string): Error {
    return this.#reader.error(
      `Unicode blocks (${name}) are not supported by this host: use a script (\\p{IsLatin}) or a range`,
    );
  }
}

function isHex(char: string): boolean {
  return /^[0-9A-Fa-f]$/.test(char);
}
