/**
 * Strict JSON that keeps numbers as they were written: a config value `1.10` is the text `1.10`, and
 * `JSON.parse` would lose that. Errors are worded as Jackson's, which clients may have seen before.
 */
import { RequestError } from "../base/error.ts";

export type JsonValue =
  | { at: "null" }
  | { at: "boolean"; text: "true" | "false" }
  | { at: "number"; text: string }
  | { at: "string"; text: string }
  | { at: "array"; items: readonly JsonValue[] }
  /** Of members with the same name the last counts. */
  | { at: "object"; members: ReadonlyMap<string, JsonValue> };

/** I5: deeper nesting is refused, as Jackson does at 1,000. */
const depthMax = 500;

const numberSyntax = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const wordSyntax = /[A-Za-z0-9_$]+/y;
// Everything a string may hold as it is, up to a quote, a backslash or a control character.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters end the run on purpose
const plainSyntax = /[^"\\\u0000-\u001f]+/y;

/** @throws RequestError (500, as Connect) for anything that is not one JSON value. */
export function parseJson(text: string): JsonValue {
  return new Reader(text).document();
}

/** @throws always: Connect answers a body it cannot map with 500. */
export function refuseBody(message: string): never {
  throw new RequestError("rest.body_invalid", message, { status: 500 });
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): JsonValue {
    const value = this.#value(0);
    this.#skipBlanks();
    if (this.#at < this.#text.length) this.#unexpected();
    return value;
  }

  #value(depth: number): JsonValue {
    if (depth > depthMax)
      refuseBody(`Document nesting depth exceeds the maximum allowed (${depthMax})`);
    this.#skipBlanks();
    switch (this.#text[this.#at]) {
      case undefined:
        return this.#ended("value");
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case '"':
        return { at: "string", text: this.#string() };
      default:
        return this.#scalar();
    }
  }

  #object(depth: number): JsonValue {
    const members = new Map<string, JsonValue>();
    this.#at += 1;
    if (this.#took("}")) return { at: "object", members };
    for (;;) {
      this.#skipBlanks();
      if (this.#at >= this.#text.length) this.#ended("close marker for Object");
      if (this.#text[this.#at] !== '"')
        this.#unexpected("was expecting double-quote to start field name");
      const name = this.#string();
      if (!this.#took(":"))
        this.#unexpected("was expecting a colon to separate field name and value");
      members.set(name, this.#value(depth + 1));
      if (this.#took("}")) return { at: "object", members };
      if (!this.#took(",")) this.#afterItem("Object");
    }
  }

  #array(depth: number): JsonValue {
    const items: JsonValue[] = [];
    this.#at += 1;
    if (this.#took("]")) return { at: "array", items };
    for (;;) {
      items.push(this.#value(depth + 1));
      if (this.#took("]")) return { at: "array", items };
      if (!this.#took(",")) this.#afterItem("Array");
    }
  }

  #scalar(): JsonValue {
    numberSyntax.lastIndex = this.#at;
    const number = numberSyntax.exec(this.#text)?.[0];
    if (number !== undefined) {
      this.#at += number.length;
      if (/[\w.$]/.test(this.#text[this.#at] ?? "")) {
        this.#unexpected("Expected space separating root-level values");
      }
      return { at: "number", text: number };
    }
    wordSyntax.lastIndex = this.#at;
    const word = wordSyntax.exec(this.#text)?.[0] ?? "";
    if (word === "true" || word === "false") {
      this.#at += word.length;
      return { at: "boolean", text: word };
    }
    if (word !== "null") this.#unexpected();
    this.#at += word.length;
    return { at: "null" };
  }

  #string(): string {
    let result = "";
    this.#at += 1;
    for (;;) {
      plainSyntax.lastIndex = this.#at;
      const plain = plainSyntax.exec(this.#text)?.[0] ?? "";
      result += plain;
      this.#at += plain.length;
      const next = this.#text[this.#at];
      if (next === undefined) this.#ended("closing quote for a string value");
      if (next === '"') {
        this.#at += 1;
        return result;
      }
      if (next !== "\\") {
        const code = this.#text.charCodeAt(this.#at);
        this.#fail(
          `Illegal unquoted character ((CTRL-CHAR, code ${code})): has to be escaped using backslash to be included in string value`,
        );
      }
      result += this.#escape();
    }
  }

  #escape(): string {
    const escapes: Record<string, string> = {
      '"': '"',
      "\\": "\\",
      "/": "/",
      b: "\b",
      f: "\f",
      n: "\n",
      r: "\r",
      t: "\t",
    };
    const letter = this.#text[this.#at + 1] ?? "";
    if (letter === "u") {
      const digits = this.#text.slice(this.#at + 2, this.#at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(digits))
        this.#unexpected("expected a hex-digit for character escape sequence");
      this.#at += 6;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const meant = escapes[letter];
    if (meant === undefined) this.#fail(`Unrecognized character escape '${letter}'`);
    this.#at += 2;
    return meant;
  }

  /** Skips blanks and takes the character if it comes next. */
  #took(character: string): boolean {
    this.#skipBlanks();
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #skipBlanks(): void {
    while (" \t\r\n".includes(this.#text[this.#at] ?? "x")) this.#at += 1;
  }

  #afterItem(where: "Object" | "Array"): never {
    if (this.#at >= this.#text.length) this.#ended(`close marker for ${where}`);
    this.#unexpected(`was expecting comma to separate ${where} entries`);
  }

  #unexpected(
    expected = "was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
  ): never {
    wordSyntax.lastIndex = this.#at;
    const word = wordSyntax.exec(this.#text)?.[0];
    if (word !== undefined) this.#fail(`Unrecognized token '${word.slice(0, 100)}': ${expected}`);
    const character = this.#text[this.#at] ?? "";
    this.#fail(
      `Unexpected character ('${character}' (code ${character.codePointAt(0)})): ${expected}`,
    );
  }

  #ended(expected: string): never {
    this.#fail(`Unexpected end-of-input: expected ${expected}`);
  }

  #fail(message: string): never {
    const before = this.#text.slice(0, this.#at).split("\n");
    const column = (before.at(-1)?.length ?? 0) + 1;
    return refuseBody(
      `${message}\n at [Source: the request body; line: ${before.length}, column: ${column}]`,
    );
  }
}
