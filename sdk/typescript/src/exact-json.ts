import { Double } from "./canonical-json.ts";
import { DataError } from "./plugin-error.ts";

/**
 * What an exact reading gives: integers as number where safe and bigint beyond, numbers with a point
 * or exponent as `Double`, objects as Map in the order of the text.
 */
export type ExactJson =
  | null
  | boolean
  | string
  | number
  | bigint
  | Double
  | readonly ExactJson[]
  | ReadonlyMap<string, ExactJson>;

const depthMax = 1_000;
const numbers = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
// Up to the closing quote that no backslash precedes.
const strings = /"(?:[^"\\]|\\.)*"/sy;

/** Reads a JSON text without losing what JSON.parse loses. @throws DataError */
export function readExact(text: string): ExactJson {
  const reader = new ExactReader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class ExactReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): ExactJson {
    if (depth > depthMax) throw this.#fault(`nested deeper than ${depthMax}`);
    this.#skip();
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case '"':
        return this.#string();
      case "t":
        return this.#word("true", true);
      case "f":
        return this.#word("false", false);
      case "n":
        return this.#word("null", null);
      default:
        return this.#number();
    }
  }

  end(): void {
    this.#skip();
    if (this.#at < this.#text.length) throw this.#fault("text after the value");
  }

  #object(depth: number): ReadonlyMap<string, ExactJson> {
    const members = new Map<string, ExactJson>();
    this.#at += 1;
    if (this.#take("}")) return members;
    do {
      this.#skip();
      if (this.#text[this.#at] !== '"') throw this.#fault("a member name is missing");
      const name = this.#string();
      if (!this.#take(":")) throw this.#fault("a colon is missing");
      members.set(name, this.value(depth + 1));
    } while (this.#take(","));
    if (!this.#take("}")) throw this.#fault("an object is not closed");
    return members;
  }

  #array(depth: number): readonly ExactJson[] {
    const items: ExactJson[] = [];
    this.#at += 1;
    if (this.#take("]")) return items;
    do items.push(this.value(depth + 1));
    while (this.#take(","));
    if (!this.#take("]")) throw this.#fault("an array is not closed");
    return items;
  }

  #string(): string {
    strings.lastIndex = this.#at;
    const match = strings.exec(this.#text);
    if (match === null) throw this.#fault("a string is not closed");
    try {
      const value: string = JSON.parse(match[0]);
      this.#at = strings.lastIndex;
      return value;
    } catch (cause) {
      throw new DataError(`not JSON: a broken string at ${this.#at}`, { cause });
    }
  }

  #number(): number | bigint | Double {
    numbers.lastIndex = this.#at;
    const match = numbers.exec(this.#text);
    if (match === null) throw this.#fault("a value is missing");
    this.#at = numbers.lastIndex;
    const value = Number(match[0]);
    if (match[1] !== undefined || match[2] !== undefined) return new Double(value);
    return Number.isSafeInteger(value) ? value : BigInt(match[0]);
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#fault("a value is missing");
    this.#at += word.length;
    return value;
  }

  #take(sign: string): boolean {
    this.#skip();
    if (this.#text[this.#at] !== sign) return false;
    this.#at += 1;
    return true;
  }

  #skip(): void {
    for (;;) {
      const unit = this.#text.charCodeAt(this.#at);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return;
      this.#at += 1;
    }
  }

  #fault(what: string): DataError {
    return new DataError(`not JSON: ${what} at ${this.#at}`);
  }
}
