/** How many records are due at a rate; 0 = any number at any time. */
export class Pace {
  readonly #perMs: number;
  #startMs: number | undefined;
  #sent = 0;

  constructor(perSecond: number) {
    this.#perMs = perSecond / 1_000;
  }

  due(nowMs: number): number {
    if (this.#perMs === 0) return Number.POSITIVE_INFINITY;
    this.#startMs ??= nowMs;
    return Math.max(0, Math.floor((nowMs - this.#startMs) * this.#perMs) + 1 - this.#sent);
  }

  /** Until the next one is due. */
  waitMs(nowMs: number): number {
    const dueAtMs = (this.#startMs ?? nowMs) + this.#sent / this.#perMs;
    return Math.max(1, Math.ceil(dueAtMs - nowMs));
  }

  sent(count: number): void {
    this.#sent += count;
  }
}
