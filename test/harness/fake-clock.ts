import type { Clock } from "../../src/base/clock.ts";

/** Time that a test owns: it stands still until `pass` is called. */
export class FakeClock implements Clock {
  #nowMs = 1_000_000;
  readonly #sleepers = new Set<{ untilMs: number; wake: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  elapsedMs(): number {
    return this.#nowMs;
  }

  /** How long the sleepers still have, ascending. */
  get sleepsMs(): number[] {
    return [...this.#sleepers].map(({ untilMs }) => untilMs - this.#nowMs).sort((a, b) => a - b);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper = {
        untilMs: this.#nowMs + ms,
        wake: () => {
          this.#sleepers.delete(sleeper);
          signal?.removeEventListener("abort", sleeper.wake);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", sleeper.wake);
    });
  }

  pass(ms: number): void {
    this.#nowMs += ms;
    for (const { untilMs, wake } of [...this.#sleepers]) if (untilMs <= this.#nowMs) wake();
  }
}
