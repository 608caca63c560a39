import { type Deferred, deferred } from "./deferred.ts";

/** One slot: the newest value wins, and a nudge is never lost. */
export class Latest<T> {
  #value: T | undefined;
  #has = false;
  #waiter: Deferred<void> | undefined;

  set(value: T): void {
    this.#value = value;
    this.#has = true;
    this.#waiter?.resolve();
    this.#waiter = undefined;
  }

  /** Takes the value, waiting for one at most until the signal fires (then undefined). */
  async take(signal?: AbortSignal): Promise<T | undefined> {
    while (!this.#has) {
      if (signal?.aborted) return undefined;
      this.#waiter ??= deferred();
      const wake = this.#waiter;
      const stop = () => wake.resolve();
      signal?.addEventListener("abort", stop, { once: true });
      await wake.promise;
      signal?.removeEventListener("abort", stop);
      if (this.#waiter === wake) this.#waiter = undefined;
    }
    const value = this.#value;
    this.#value = undefined;
    this.#has = false;
    return value;
  }
}
