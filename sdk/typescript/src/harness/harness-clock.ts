import type { Clock } from "../clock.ts";

interface Timer {
  readonly dueMs: number;
  readonly due: () => void;
}

/** Stands still until `advance`. */
export class HarnessClock implements Clock {
  readonly #timers = new Set<Timer>();
  #nowMs = 0;
  #onTimer: (() => void) | undefined;

  /** Milliseconds since the harness began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** How many wait for time to pass. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** Lets so many milliseconds pass: pauses before retries end, and puts of nothing are due. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined || next.dueMs > untilMs) break;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      this.#timers.delete(next);
      next.due();
    }
    this.#nowMs = untilMs;
  }

  timer(ms: number, due: () => void): () => void {
    const timer = { dueMs: this.#nowMs + ms, due };
    this.#timers.add(timer);
    this.#onTimer?.();
    return () => this.#timers.delete(timer);
  }

  /** @internal */
  watch(onTimer: () => void): void {
    this.#onTimer = onTimer;
  }
}
