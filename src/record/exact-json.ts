/**
 * Reads JSON texts without losing what JSON.parse loses: integers of any size, whether a number had a
 * point, the digits of a decimal, the order of members. What is refused and what is let pass is as in
 * Jackson with Connect's settings: leading zeros are fine, text after the value is the caller's affair.
 */
import { Buffer } from "node:buffer";
import { RecordError } from "../base/error.ts";
import { Floating, type JsonArray, type JsonObject, type JsonValue } from "./value.ts";

/** As Jackson's: deeper texts and longer numbers are refused before they cost anything. */
const depthMax = 1_000;
const numberLengthMax = 1_000;

/** I5: names that are kept, of objects in objects; those of larger ones are read like any text. */
const lastNamesDepth = 8;
const lastNamesWidth = 32;
const lastNames: (string | undefined)[] = new Array(lastNamesDepth * lastNamesWidth);

const quote = 0x22;
const backslash = 0x5c;

/** Reads the one value that the text is. @throws RecordError `record.json_malformed` */
export function parseExactJson(text: string): JsonValue {
  const reader = new ExactJsonReader(text);
  const value = reader.first();
  if (value === undefined) throw malformed("the text is empty", 0);
  reader.end();
  return value;
}

/**
 * Reads the first value of the text and ignores what follows; undefined for a blank text.
 * @throws RecordError `record.json_malformed`
 */
export function parseFirstJson(text: string): JsonValue | undefined {
  return new ExactJsonReader(text).first();
}

/**
 * Reads the last member's value of an object whose beginning is known: the text goes on with the
 * value. undefined when the object does not end behind it.
 * @throws RecordError `record.json_malformed`
 */
export function parseLastMember(text: string): JsonValue | undefined {
  return new ExactJsonReader(text).lastMember();
}

class ExactJsonReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  first(): JsonValue | undefined {
    this.#skip();
    if (this.#at >= this.#text.length) return undefined;
    const value = this.#value(0);
    // Behind a bare word or number only a blank may follow, else it was no word or number.
    const unit = this.#text.charCodeAt(this.#at - 1);
    const closed = unit === quote || unit === 0x5d || unit === 0x7d;
    if (!closed && this.#at < this.#text.length && !isBlank(this.#text.charCodeAt(this.#at))) {
      throw this.#unexpected("the end of the value");
    }
    return value;
  }

  lastMember(): JsonValue | undefined {
    this.#skip();
    const value = this.#value(1);
    this.#skip();
    return this.#take(0x7d) ? value : undefined;
  }

  end(): void {
    this.#skip();
    if (this.#at < this.#text.length) throw this.#unexpected("the end of the text");
  }

  #value(depth: number): JsonValue {
    const unit = this.#text.charCodeAt(this.#at);
    switch (unit) {
      case quote:
        return this.#string();
      case 0x7b:
        return this.#object(depth);
      case 0x5b:
        return this.#array(depth);
      case 0x74:
        return this.#word("true", true);
      case 0x66:
        return this.#word("false", false);
      case 0x6e:
        return this.#word("null", null);
      default:
        if (unit === 0x2d || isDigit(unit)) return this.#number();
        throw this.#unexpected("a value");
    }
  }

  #object(depth: number): JsonObject {
    if (depth >= depthMax) throw malformed(`nested deeper than ${depthMax}`, this.#at);
    const members: JsonObject = new Map();
    this.#at += 1;
    this.#skip();
    if (this.#take(0x7d)) return members;
    for (let nth = 0; ; nth += 1) {
      if (this.#text.charCodeAt(this.#at) !== quote) throw this.#unexpected("a member name");
      const name = this.#name(depth, nth);
      this.#skip();
      if (!this.#take(0x3a)) throw this.#unexpected("a colon");
      this.#skip();
      members.set(name, this.#value(depth + 1));
      this.#skip();
      if (this.#take(0x7d)) return members;
      if (!this.#take(0x2c)) throw this.#unexpected("a comma or the end of an object");
      this.#skip();
    }
  }

  /** Most objects have the names of the one before at their depth, and those need not be made again. */
  #name(depth: number, nth: number): string {
    const place = depth * lastNamesWidth + nth;
    const isKept = depth < lastNamesDepth && nth < lastNamesWidth;
    const last = isKept ? lastNames[place] : undefined;
    if (last !== undefined) {
      const end = this.#at + 1 + last.length;
      if (this.#text.charCodeAt(end) === quote && this.#text.startsWith(last, this.#at + 1)) {
        this.#at = end + 1;
        return last;
      }
    }
    const start = this.#at;
    const name = this.#string();
    // One that was written with escapes is not what stands in the text.
    if (isKept && name.length === this.#at - start - 2) lastNames[place] = ownCopy(name);
    return name;
  }

  #array(depth: number): JsonArray {
    if (depth >= depthMax) throw malformed(`nested deeper than ${depthMax}`, this.#at);
    const items: JsonArray = [];
    this.#at += 1;
    this.#skip();
    if (this.#take(0x5d)) return items;
    for (;;) {
      items.push(this.#value(depth + 1));
      this.#skip();
      if (this.#take(0x5d)) return items;
      if (!this.#take(0x2c)) throw this.#unexpected("a comma or the end of an array");
      this.#skip();
    }
  }

  #string(): string {
    const text = this.#text;
    const start = this.#at + 1;
    let at = start;
    for (;;) {
      const unit = text.charCodeAt(at);
      if (unit === quote) break;
      if (unit === backslash) return this.#escapedString(start, at);
      // NaN, behind the end, is not >= either.
      if (!(unit >= 0x20)) throw this.#badString(at);
      at += 1;
    }
    this.#at = at + 1;
    return text.slice(start, at);
  }

  #escapedString(start: number, firstEscape: number): string {
    const text = this.#text;
    let at = firstEscape;
    let from = start;
    let result = "";
    for (;;) {
      const unit = text.charCodeAt(at);
      if (unit === quote) break;
      if (!(unit >= 0x20)) throw this.#badString(at);
      if (unit !== backslash) {
        at += 1;
        continue;
      }
      result += text.slice(from, at);
      const escaped = text[at + 1] ?? "";
      if (escaped === "u") {
        const hex = text.slice(at + 2, at + 6);
        if (!/^[0-9a-fA-F]{4}$/.test(hex)) throw malformed("a broken \\u escape", at);
        result += String.fromCharCode(Number.parseInt(hex, 16));
        at += 6;
      } else {
        const plain = escapes[escaped];
        if (plain === undefined) throw malformed("an unknown escape", at);
        result += plain;
        at += 2;
      }
      from = at;
    }
    this.#at = at + 1;
    return result + text.slice(from, at);
  }

  #number(): JsonValue {
    const text = this.#text;
    const start = this.#at;
    let at = text.charCodeAt(start) === 0x2d ? start + 1 : start;
    const digits = at;
    let whole = 0;
    for (let unit = text.charCodeAt(at); isDigit(unit); unit = text.charCodeAt(at)) {
      whole = whole * 10 + unit - 0x30;
      at += 1;
    }
    if (at === digits) throw this.#unexpected("a digit", at);
    let floating = false;
    if (text.charCodeAt(at) === 0x2e) {
      floating = true;
      at = this.#digits(at + 1);
    }
    const sign = text.charCodeAt(at);
    if (sign === 0x65 || sign === 0x45) {
      floating = true;
      const next = text.charCodeAt(at + 1);
      at = this.#digits(next === 0x2b || next === 0x2d ? at + 2 : at + 1);
    }
    if (at - start > numberLengthMax) throw malformed("a number has too many digits", start);
    this.#at = at;
    // Fewer than 16 digits were added up exactly.
    if (!floating && at - digits < 16) return digits === start ? whole : -whole;
    const number = text.slice(start, at);
    if (floating) return new Floating(number);
    const exact = BigInt(number);
    return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
  }

  #digits(start: number): number {
    let at = start;
    while (isDigit(this.#text.charCodeAt(at))) at += 1;
    if (at === start) throw this.#unexpected("a digit", at);
    return at;
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#unexpected("a value");
    this.#at += word.length;
    return value;
  }

  #take(unit: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== unit) return false;
    this.#at += 1;
    return true;
  }

  #skip(): void {
    while (isBlank(this.#text.charCodeAt(this.#at))) this.#at += 1;
  }

  #badString(at: number): RecordError {
    return at < this.#text.length
      ? malformed("an unescaped control character in a string", at)
      : malformed("a string is not closed", at);
  }

  #unexpected(wanted: string, at = this.#at): RecordError {
    const found = this.#text[at];
    return malformed(
      found === undefined ? `the text ends before ${wanted}` : `'${found}' is not ${wanted}`,
      at,
    );
  }
}

const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

/** A piece of a text keeps the whole text alive. */
function ownCopy(piece: string): string {
  return Buffer.from(piece, "utf16le").toString("utf16le");
}

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39;
}

function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09;
}

function malformed(what: string, at: number): RecordError {
  return new RecordError("record.json_malformed", `not JSON at character ${at}: ${what}`);
}
