const lineFeed = 10;
const carriageReturn = 13;
const shownBytesMax = 200;

/** What one line of a program came to. */
export type CutLine =
  | { readonly at: "line"; readonly bytes: Buffer }
  /** Told as soon as it is seen; the rest of the line is dropped. */
  | { readonly at: "too-long"; readonly start: Buffer };

/**
 * Cuts bytes into lines, which end with `\n` or `\r\n`. Holds one line that is not complete, of at most
 * `bytesMax` bytes, and what is left of the last chunk.
 */
export class LineCutter {
  readonly #bytesMax: number;
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  /** The beginning of a line that earlier chunks hold. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  #dropping = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Call it when `next` has nothing more. */
  push(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** Undefined = more bytes are needed. The bytes are valid until the second `push` from here. */
  next(): CutLine | undefined {
    for (;;) {
      if (this.#at >= this.#chunk.length) return undefined;
      const end = this.#chunk.indexOf(lineFeed, this.#at);
      const piece = this.#chunk.subarray(this.#at, end < 0 ? this.#chunk.length : end);
      this.#at = end < 0 ? this.#chunk.length : end + 1;
      if (this.#dropping) {
        this.#dropping = end < 0;
        continue;
      }
      // One more for a carriage return, which is no part of the line.
      if (this.#partBytes + piece.length > this.#bytesMax + 1) {
        this.#dropping = end < 0;
        return this.#tooLong(piece);
      }
      if (end < 0) {
        this.#parts.push(piece);
        this.#partBytes += piece.length;
        return undefined;
      }
      return this.#line(piece);
    }
  }

  /** The last line, which nothing ended; undefined = none. */
  end(): CutLine | undefined {
    return this.#partBytes === 0 ? undefined : this.#line(Buffer.alloc(0));
  }

  #line(piece: Buffer): CutLine {
    const whole = this.#parts.length === 0 ? piece : Buffer.concat([...this.#parts, piece]);
    this.#forget();
    const bytes =
      whole[whole.length - 1] === carriageReturn ? whole.subarray(0, whole.length - 1) : whole;
    if (bytes.length <= this.#bytesMax) return { at: "line", bytes };
    return { at: "too-long", start: bytes.subarray(0, shownBytesMax) };
  }

  #tooLong(piece: Buffer): CutLine {
    const start = Buffer.concat([...this.#parts, piece.subarray(0, shownBytesMax)]);
    this.#forget();
    return { at: "too-long", start: start.subarray(0, shownBytesMax) };
  }

  #forget(): void {
    this.#parts = [];
    this.#partBytes = 0;
  }
}
