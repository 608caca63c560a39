/** Cuts a byte stream into lines of bounded length; what a line has beyond that is counted, not kept. */
export class LineReader {
  readonly #bytesMax: number;
  readonly #onLine: (text: string) => void;
  #parts: Buffer[] = [];
  #kept = 0;
  #cut = 0;

  constructor(bytesMax: number, onLine: (text: string) => void) {
    this.#bytesMax = bytesMax;
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.#keep(chunk.subarray(start, end));
      this.#finishLine();
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
  }

  /** The stream has ended; a last line without a line break counts too. */
  end(): void {
    if (this.#kept > 0 || this.#cut > 0) this.#finishLine();
  }

  #keep(bytes: Buffer): void {
    const room = this.#bytesMax - this.#kept;
    if (bytes.length > room) this.#cut += bytes.length - room;
    const kept = bytes.subarray(0, room);
    if (kept.length === 0) return;
    // A copy: a chunk of the pipe must not be held for a few bytes of it.
    this.#parts.push(Buffer.from(kept));
    this.#kept += kept.length;
  }

  #finishLine(): void {
    const text = Buffer.concat(this.#parts).toString().replace(/\r$/, "");
    const suffix = this.#cut > 0 ? ` … (${this.#cut} more bytes)` : "";
    this.#parts = [];
    this.#kept = 0;
    this.#cut = 0;
    this.#onLine(printable(text) + suffix);
  }
}

/** Control characters as text, so that a plugin cannot colour, erase or forge lines of the log. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
