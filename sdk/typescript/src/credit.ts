import { type Deferred, deferred } from "./deferred.ts";

/**
 * What may still be sent. A batch may go while both counts are above zero, and may overdraw them, so
 * that one large record always passes.
 */
export class Credit {
  #records = 0;
  #bytes = 0;
  #waiter: Deferred<void> | undefined;

  get records(): number {
    return this.#records;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get available(): boolean {
    return this.#records > 0 && this.#bytes > 0;
  }

  add(records: number, bytes: number): void {
    this.#records += records;
    this.#bytes += bytes;
    if (this.available) this.wake();
  }

  spend(records: number, bytes: number): void {
    this.#records -= records;
    this.#bytes -= bytes;
  }

  /** Resolves when there is credit, or when `wake` is called. */
  wait(): Promise<void> {
    if (this.available) return Promise.resolve();
    this.#waiter ??= deferred();
    return this.#waiter.promise;
  }

  wake(): void {
    this.#waiter?.resolve();
    this.#waiter = undefined;
  }
}
