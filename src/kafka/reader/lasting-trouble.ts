import { levelOfDelay } from "../../observe/log-level.ts";

/**
 * Something fails and is tried again and again: says when to write a line about it and how loudly.
 * Silent while it may pass by itself, then louder, and each time after twice as long.
 */
export class LastingTrouble {
  #sinceMs: number | undefined;
  #nextMs = 0;

  get isOn(): boolean {
    return this.#sinceMs !== undefined;
  }

  /** It failed again; undefined when nothing is to be said. */
  failed(nowMs: number): { level: "debug" | "info" | "warn"; lastedMs: number } | undefined {
    this.#sinceMs ??= nowMs;
    const lastedMs = Math.round(nowMs - this.#sinceMs);
    if (lastedMs < this.#nextMs) return undefined;
    this.#nextMs = Math.max(1_000, lastedMs * 2);
    return { level: levelOfDelay(lastedMs), lastedMs };
  }

  over(): void {
    this.#sinceMs = undefined;
    this.#nextMs = 0;
  }
}
