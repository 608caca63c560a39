import { type Deferred, deferred } from "./deferred.ts";

/** I5: a queue with a bound. Pushing into a full queue waits; so does taking from an empty one. */
export class Queue<T> {
  readonly #capacity: number;
  readonly #items: T[] = [];
  #takers: Deferred<void>[] = [];
  #pushers: Deferred<void>[] = [];
  #closed = false;

  constructor(options: { capacity: number }) {
    this.#capacity = options.capacity;
  }

  get size(): number {
    return this.#items.length;
  }

  /** Waits for room. Returns false when the queue was closed and the item was not taken. */
  async push(item: T): Promise<boolean> {
    while (!this.#closed && this.#items.length >= this.#capacity) {
      const turn = deferred();
      this.#pushers.push(turn);
      await turn.promise;
    }
    if (this.#closed) return false;
    this.#items.push(item);
    this.#takers.shift()?.resolve();
    return true;
  }

  /** Waits for an item; undefined once the queue is closed and empty. */
  async take(): Promise<T | undefined> {
    while (this.#items.length === 0) {
      if (this.#closed) return undefined;
      const turn = deferred();
      this.#takers.push(turn);
      await turn.promise;
    }
    const item = this.#items.shift();
    this.#pushers.shift()?.resolve();
    return item;
  }

  /** Takes what is there without waiting. */
  tryTake(): T | undefined {
    const item = this.#items.shift();
    if (item !== undefined) this.#pushers.shift()?.resolve();
    return item;
  }

  /** What is queued may still be taken; pushers get false. */
  close(): void {
    this.#closed = true;
    for (const turn of [...this.#takers, ...this.#pushers]) turn.resolve();
    this.#takers = [];
    this.#pushers = [];
  }
}
