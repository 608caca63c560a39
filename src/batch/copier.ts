/** Copying runs of bytes out of a few large arrays, as cheaply as each size allows. */
import { noBytes } from "../record/record-slice.ts";

/** Below it a loop over bytes is the fastest. */
const wordBytesMin = 16;
/** An array that is copied whole needs no view: a name, the text around a value. */
const wholeBytesMin = 48;
/** From here on a view and `set` are: what a view costs, its collection too, no longer matters. */
const setBytesMin = 256;

/**
 * Between the sizes above, words of four bytes are moved through a DataView of each side. Those are kept for as
 * long as the arrays stay the same, which they do for all records of a message.
 */
export class Copier {
  #from: Uint8Array = noBytes;
  #fromView: DataView = new DataView(noBytes.buffer);
  #to: Uint8Array = noBytes;
  #toView: DataView = new DataView(noBytes.buffer);

  /** Copies `from[start]` to `from[end - 1]`; returns the place behind them. */
  copy(from: Uint8Array, start: number, end: number, to: Uint8Array, place: number): number {
    const size = end - start;
    if (size === from.length && size >= wholeBytesMin) {
      to.set(from, place);
      return place + size;
    }
    if (size >= setBytesMin) {
      to.set(from.subarray(start, end), place);
      return place + size;
    }
    let at = start;
    let next = place;
    if (size >= wordBytesMin) {
      if (from !== this.#from || to !== this.#to) this.#look(from, to);
      const source = this.#fromView;
      const target = this.#toView;
      for (const wholeEnd = end - 7; at < wholeEnd; at += 8, next += 8) {
        target.setInt32(next, source.getInt32(at, true), true);
        target.setInt32(next + 4, source.getInt32(at + 4, true), true);
      }
    }
    while (at < end) to[next++] = from[at++]!;
    return next;
  }

  /** Lets go of the arrays. */
  reset(): void {
    this.#look(noBytes, noBytes);
  }

  #look(from: Uint8Array, to: Uint8Array): void {
    if (from !== this.#from) {
      this.#from = from;
      this.#fromView = new DataView(from.buffer, from.byteOffset, from.length);
    }
    if (to !== this.#to) {
      this.#to = to;
      this.#toView = new DataView(to.buffer, to.byteOffset, to.length);
    }
  }
}
