/** The words of a header's text: one for each of `: , { } [ ] "` without a backslash, and what is between. */
export class HeaderTokens {
  readonly text: string;
  /** Behind the token that is held. */
  #at = 0;
  /** Looked at but not taken. */
  #held: string | undefined;

  constructor(text: string) {
    this.text = text;
  }

  /** A place to go back to. */
  mark(): number {
    return this.#at - (this.#held?.length ?? 0);
  }

  rewind(mark: number): void {
    this.#at = mark;
    this.#held = undefined;
  }

  get done(): boolean {
    return this.#held === undefined && this.#at >= this.text.length;
  }

  /** Takes the next token if it is the word, blanks around it apart; skips blank tokens either way. */
  take(word: string): boolean {
    if (this.done) return false;
    let token = this.#held ?? this.#read();
    while (isBlank(token) && this.#at < this.text.length) token = this.#read();
    this.#held = token;
    if (javaTrim(token) !== word) return false;
    this.#held = undefined;
    return true;
  }

  /** The same without mercy for blanks. */
  takeExactly(word: string): boolean {
    if (this.done) return false;
    this.#held ??= this.#read();
    if (this.#held !== word) return false;
    this.#held = undefined;
    return true;
  }

  next(): string {
    const token = this.#held ?? this.#read();
    this.#held = undefined;
    return token;
  }

  /** Takes so many tokens as one text; undefined, and takes none, if there are not enough. */
  join(count: number): string | undefined {
    const start = this.mark();
    for (let taken = 0; taken < count; taken += 1) {
      if (this.done) {
        this.rewind(start);
        return undefined;
      }
      this.next();
    }
    return this.text.slice(start, this.#at);
  }

  #read(): string {
    const start = this.#at;
    let escaped = false;
    let at = start;
    for (; at < this.text.length; at += 1) {
      const unit = this.text[at] as string;
      if (unit === "\\") {
        escaped = !escaped;
        continue;
      }
      if (!escaped && delimiters.includes(unit)) {
        if (at === start) at += 1;
        break;
      }
      escaped = false;
    }
    this.#at = at;
    return this.text.slice(start, at);
  }
}

const delimiters = ':,{}[]"';

/** Java's trim: everything up to U+0020 counts as blank, and nothing else. */
export function javaTrim(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text.charCodeAt(start) <= 0x20) start += 1;
  while (end > start && text.charCodeAt(end - 1) <= 0x20) end -= 1;
  return text.slice(start, end);
}

function isBlank(text: string): boolean {
  return javaTrim(text) === "";
}
