const lineFeed = 10;
const carriageReturn = 13;
const nowhere = Number.MAX_SAFE_INTEGER;

/**
 * Cuts bytes into lines. A line is complete at `\n`, `\r\n` or `\r`; after a `\r` at the very end one
 * more byte is needed to know. The rest is kept until it is completed.
 */
export class LineSplitter {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #position: number;
  /** The next of each kind; before #at = not looked for yet. */
  #feed = -1;
  #return = -1;

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
    this.#at = 0;
    this.#bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    this.#feed = -1;
    this.#return = -1;
  }

  /** The next complete line without its break; undefined = more bytes are needed. */
  next(): string | undefined {
    const bytes = this.#bytes;
    const end = this.#findBreak();
    if (end === undefined) return undefined;
    const isReturn = bytes[end] === carriageReturn;
    if (isReturn && end + 1 === bytes.length) return undefined;
    const line = bytes.toString("utf8", this.#at, end);
    this.#at = isReturn && bytes[end + 1] === lineFeed ? end + 2 : end + 1;
    return line;
  }

  /** Where the next `\n` or `\r` stands. Each is looked for once, not once a line. */
  #findBreak(): number | undefined {
    if (this.#feed < this.#at) this.#feed = placeOf(this.#bytes, lineFeed, this.#at);
    if (this.#return < this.#at) this.#return = placeOf(this.#bytes, carriageReturn, this.#at);
    const first = Math.min(this.#feed, this.#return);
    return first === nowhere ? undefined : first;
  }
}

function placeOf(bytes: Buffer, byte: number, from: number): number {
  const found = bytes.indexOf(byte, from);
  return found < 0 ? nowhere : found;
}
