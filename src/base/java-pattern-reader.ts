/** The characters of a pattern, read as java.util.regex does: one by one, a cursor that the errors show. */
import { ConfigError } from "./error.ts";

/** What `(?idmsuxU)` switches. */
export interface PatternFlags {
  ignoreCase: boolean;
  unixLines: boolean;
  multiline: boolean;
  dotAll: boolean;
  unicodeCase: boolean;
  comments: boolean;
  unicodeClasses: boolean;
}

/** Past the end every character is 0. */
export class PatternReader {
  readonly #text: string;
  readonly #codes: readonly number[];
  cursor = 0;
  flags: PatternFlags = {
    ignoreCase: false,
    unixLines: false,
    multiline: false,
    dotAll: false,
    unicodeCase: false,
    comments: false,
    unicodeClasses: false,
  };

  constructor(text: string) {
    this.#text = text;
    this.#codes = unquoted(Array.from(text, (char) => char.codePointAt(0) ?? 0));
  }

  get isAtEnd(): boolean {
    return this.cursor >= this.#codes.length;
  }

  /** The character at a distance, blanks and comments counted. */
  raw(distance = 0): string {
    const code = this.#codes[this.cursor + distance];
    return code === undefined ? "" : String.fromCodePoint(code);
  }

  /** The character under the cursor. */
  peek(): string {
    this.#skipComments();
    return this.raw();
  }

  /** Goes one on and looks. */
  next(): string {
    this.cursor += 1;
    return this.peek();
  }

  /** Looks and goes one on. */
  read(): string {
    const char = this.peek();
    this.cursor += 1;
    return char;
  }

  accept(char: string, complaint: string): void {
    if (this.read() !== char) throw this.error(complaint);
  }

  /** Java's text: what is wrong, where, and the pattern with a mark under the place. */
  error(complaint: string): ConfigError {
    const index = this.cursor - 1;
    const place = index >= 0 ? ` near index ${index}` : "";
    const mark = index >= 0 && index < this.#text.length ? `\n${this.#blanks(index)}^` : "";
    return new ConfigError("config.invalid", `${complaint}${place}\n${this.#text}${mark}`);
  }

  #blanks(count: number): string {
    return this.#text.slice(0, count).replace(/[^\t]/g, " ");
  }

  #skipComments(): void {
    if (!this.flags.comments) return;
    for (;;) {
      while (/^[ \t-\r]$/.test(this.raw())) this.cursor += 1;
      if (this.raw() !== "#") return;
      while (!this.isAtEnd && !this.#isLineEnd()) this.cursor += 1;
    }
  }

  #isLineEnd(): boolean {
    return this.flags.unixLines ? this.raw() === "\n" : /^[\n\r\x85\u2028\u2029]$/.test(this.raw());
  }
}

const backslash = 0x5c;
const letterE = 0x45;
const letterQ = 0x51;

/** What stands between `\Q` and `\E` with backslashes instead. */
function unquoted(codes: readonly number[]): readonly number[] {
  const plain: number[] = [];
  let isQuoted = false;
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] as number;
    const next = codes[at + 1];
    if (!isQuoted && code === backslash && next === letterQ) {
      isQuoted = true;
      at += 1;
    } else if (isQuoted && code === backslash && next === letterE) {
      isQuoted = false;
      at += 1;
    } else if (isQuoted) {
      pushQuoted(plain, code);
    } else {
      plain.push(code);
      if (code === backslash && next !== undefined) {
        plain.push(next);
        at += 1;
      }
    }
  }
  return plain;
}

function pushQuoted(plain: number[], code: number): void {
  const char = String.fromCodePoint(code);
  if (code >= 0x80 || /[A-Za-z]/.test(char)) plain.push(code);
  // A bare digit would belong to what is before the quotation.
  else if (/[0-9]/.test(char)) plain.push(...Array.from(`\\x3${char}`, (c) => c.charCodeAt(0)));
  else plain.push(backslash, code);
}
