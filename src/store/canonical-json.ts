/**
 * JSON texts compared by value: members sorted, blanks removed, strings with the same escapes, number
 * text kept (`1` and `1.0` are different offsets for a plugin that tells integers from floats).
 */

/** How deep a text may nest (I5). */
const depthMax = 100;

/** @throws SyntaxError for a text that is not one JSON value. */
export function canonicalJson(text: string): string {
  const scanner = new Scanner(text);
  const canonical = scanner.value(0);
  scanner.end();
  return canonical;
}

/** The elements of a JSON array as they stand in the text. @throws SyntaxError for anything else. */
export function arrayElements(text: string): string[] {
  const scanner = new Scanner(text);
  const elements = scanner.elements();
  scanner.end();
  return elements;
}

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const string = /"(?:[^"\\]|\\.)*"/sy;
const literal = /true|false|null/y;
const blanks = /[ \t\r\n]*/y;

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): string {
    if (depth > depthMax) throw new SyntaxError(`JSON nests deeper than ${depthMax}`);
    this.#blanks();
    const first = this.#text[this.#at];
    if (first === "{") return this.#object(depth);
    if (first === "[") {
      return `[${this.#list("[", "]", () => this.value(depth + 1)).join(",")}]`;
    }
    if (first === '"') return JSON.stringify(JSON.parse(this.#take(string)));
    if (first === "t" || first === "f" || first === "n") return this.#take(literal);
    return this.#take(number);
  }

  elements(): string[] {
    this.#blanks();
    return this.#list("[", "]", () => {
      this.#blanks();
      const start = this.#at;
      this.value(0);
      return this.#text.slice(start, this.#at);
    });
  }

  end(): void {
    this.#blanks();
    if (this.#at !== this.#text.length) this.#fail();
  }

  #object(depth: number): string {
    const members = this.#list("{", "}", (): [string, string] => {
      this.#blanks();
      const name = JSON.stringify(JSON.parse(this.#take(string)));
      this.#mark(":");
      return [name, this.value(depth + 1)];
    });
    members.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${members.map(([name, value]) => `${name}:${value}`).join(",")}}`;
  }

  #list<T>(open: string, close: string, item: () => T): T[] {
    const items: T[] = [];
    this.#mark(open);
    this.#blanks();
    if (this.#text[this.#at] !== close) {
      items.push(item());
      this.#blanks();
      while (this.#text[this.#at] === ",") {
        this.#at += 1;
        items.push(item());
        this.#blanks();
      }
    }
    this.#mark(close);
    return items;
  }

  #mark(mark: string): void {
    this.#blanks();
    if (this.#text[this.#at] !== mark) this.#fail();
    this.#at += 1;
  }

  #blanks(): void {
    this.#take(blanks);
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined) return this.#fail();
    this.#at += found.length;
    return found;
  }

  #fail(): never {
    throw new SyntaxError(`not JSON at character ${this.#at}`);
  }
}
