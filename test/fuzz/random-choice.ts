/** Choices made from a seed. */

/** At least 0, less than 1. */
export type Random = () => number;

/** Random by a seed, the same everywhere (mulberry32). */
export function randomBy(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** What generators ask of a random. */
export class Choice {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  chance(share: number): boolean {
    return this.#random() < share;
  }

  pick<T>(all: readonly T[]): T {
    return all[Math.floor(this.#random() * all.length)] as T;
  }

  /** From 0 to `max`. */
  count(max: number): number {
    return Math.floor(this.#random() * (max + 1));
  }

  /** Up to `max` of them, which may come again. */
  some<T>(all: readonly T[], max: number): readonly T[] {
    return Array.from({ length: this.count(max) }, () => this.pick(all));
  }

  /** All of them in any order. */
  shuffled<T>(all: readonly T[]): T[] {
    return all
      .map((each) => ({ each, at: this.#random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ each }) => each);
  }
}
