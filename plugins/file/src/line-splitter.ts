const lineFeed = 10;
const carriageReturn = 13;

/**
 * Cuts bytes into lines. A line is complete at `\n`, `\r\n` or `\r`; after a `\r` at the very end one
 * more byte is needed to know. The rest is kept until it is completed.
 */
export class LineSplitter {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #position: number;
  /** Up to here there is no line break. */
  #searched = 0;

  /** `position`: where in the file the first byte to come stands. */
  constructor(position: number) {
    this.#position = position;
  }

  /** Behind the last line taken. */
  get position(): number {
    return this.#position + this.#at;
  }

  /** Bytes of the line that is not complete yet. */
  get restBytes(): number {
    return this.#bytes.length - this.#at;
  }

  push(chunk: Buffer): void {
    const rest = this.#bytes.subarray(this.#at);
    this.#position += this.#at;
    this.#searched = Math.max(0, this.#searched - this.#at);
    this.#at = 0;
    this.#bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
  }

  /** The next complete line without its break; undefined = more bytes are needed. */
  next(): string | undefined {
    const bytes = this.#bytes;
    for (let at = Math.max(this.#at, this.#searched); at < bytes.length; at += 1) {
      const byte = bytes[at];
      if (byte !== lineFeed && byte !== carriageReturn) continue;
      if (byte === carriageReturn && at + 1 === bytes.length) {
        this.#searched = at;
        return undefined;
      }
      const line = bytes.toString("utf8", this.#at, at);
      this.#at = byte === carriageReturn && bytes[at + 1] === lineFeed ? at + 2 : at + 1;
      return line;
    }
    this.#searched = bytes.length;
    return undefined;
  }
}
