/** How long to wait before each try. */
export interface BackoffOptions {
  firstMs: number;
  maxMs: number;
  /** The share of each delay that is random, 0 to 1; keeps many waiters from waking together. */
  jitter?: number;
  /** 0 (inclusive) to 1 (exclusive); a test hands in its own. */
  random?: () => number;
}

/** Delays that double from `firstMs` up to `maxMs`, with jitter. */
export class Backoff {
  readonly #options: BackoffOptions;
  #tries = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** How often `nextDelayMs` was asked since the last reset. */
  get tries(): number {
    return this.#tries;
  }

  nextDelayMs(): number {
    const { firstMs, maxMs, jitter = 0.2, random = Math.random } = this.#options;
    const full = Math.min(maxMs, firstMs * 2 ** Math.min(this.#tries, 40));
    this.#tries += 1;
    return Math.round(full * (1 - jitter * random()));
  }

  reset(): void {
    this.#tries = 0;
  }
}
