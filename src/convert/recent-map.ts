/**
 * A map for what comes again in nearly every record. It forgets all of it when there is one entry too
 * many, so that a lookup costs no more than the map's own.
 */
export class RecentMap<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #sizeMax: number;

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  set(key: K, value: V): void {
    // I5: keys may be different in each record.
    if (this.#entries.size >= this.#sizeMax) this.#entries.clear();
    this.#entries.set(key, value);
  }
}
