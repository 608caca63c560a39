/** I5: of memory that waits for the next answer. */
const spareBytesMax = 16 * 1024 * 1024;

/** Sizes are multiples of it, so that a piece fits other answers too. */
const unitBytes = 64 * 1024;

/** An answer below it gets memory of just its size, as there may be many of them waiting. */
const pieceBytesMin = unitBytes / 4;

/** I5: no more of a piece is left empty. */
const excessMax = 4;

/**
 * Memory for the answers of one reader, used again and again. Fresh memory for each megabyte costs more
 * than all that is done with it: the system hands it out page by page, and V8 looks for garbage whenever
 * another 32 MiB were taken.
 */
export class AnswerMemory {
  /** Smallest first. */
  readonly #spare: Uint8Array[] = [];
  #spareBytes = 0;

  /** At least that many bytes, with anything in them. */
  take(bytes: number): Uint8Array {
    if (bytes < pieceBytesMin) return Buffer.allocUnsafeSlow(bytes);
    const index = this.#spare.findIndex((each) => each.length >= bytes);
    const found = this.#spare[index];
    if (found === undefined || found.length > bytes * excessMax) {
      return Buffer.allocUnsafeSlow(Math.ceil(bytes / unitBytes) * unitBytes);
    }
    this.#spare.splice(index, 1);
    this.#spareBytes -= found.length;
    return found;
  }

  /** Nobody looks at it any more, and nothing writes to it. */
  giveBack(memory: Uint8Array): void {
    if (memory.length < unitBytes) return;
    const larger = this.#spare.findIndex((each) => each.length >= memory.length);
    this.#spare.splice(larger < 0 ? this.#spare.length : larger, 0, memory);
    this.#spareBytes += memory.length;
    while (this.#spareBytes > spareBytesMax) this.#spareBytes -= this.#spare.shift()?.length ?? 0;
  }
}
