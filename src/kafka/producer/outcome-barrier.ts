import { type Deferred, deferred } from "../../base/deferred.ts";

/**
 * Lets flushes wait for what was there when they were called, without a list of it: what enters gets
 * a stamp, and each flush begins a new one.
 */
export class OutcomeBarrier {
  #stamp = 0;
  /** How many entered under a stamp and have not left; those without are left out. */
  readonly #counts = new Map<number, number>();
  readonly #waiters: { stamp: number; done: Deferred<void> }[] = [];

  /** Somebody waits for an outcome: what lingers should go. */
  get isAwaited(): boolean {
    return this.#waiters.length > 0;
  }

  /** `stamp`: that of what it was part of, for something that was split or moved. */
  enter(stamp = this.#stamp): number {
    this.#counts.set(stamp, (this.#counts.get(stamp) ?? 0) + 1);
    return stamp;
  }

  leave(stamp: number): void {
    const left = (this.#counts.get(stamp) ?? 0) - 1;
    if (left > 0) {
      this.#counts.set(stamp, left);
      return;
    }
    this.#counts.delete(stamp);
    this.#wake();
  }

  /** Resolves when everything that has entered so far has left. */
  passed(): Promise<void> {
    if (this.#counts.size === 0) return Promise.resolve();
    const done = deferred();
    this.#waiters.push({ stamp: this.#stamp, done });
    this.#stamp += 1;
    return done.promise;
  }

  #wake(): void {
    while (this.#waiters.length > 0) {
      const { stamp, done } = this.#waiters[0]!;
      for (const live of this.#counts.keys()) if (live <= stamp) return;
      this.#waiters.shift();
      done.resolve();
    }
  }
}
