import { deferred } from "../base/deferred.ts";
import type { TargetState } from "../state/status.ts";

/** The target state of one running task, and who wants to know when it changes. */
export class TargetSwitch {
  readonly #listeners = new Set<() => void>();
  #target: TargetState;

  constructor(target: TargetState) {
    this.#target = target;
  }

  get paused(): boolean {
    return this.#target !== "STARTED";
  }

  set(target: TargetState): void {
    const before = this.paused;
    this.#target = target;
    if (before === this.paused) return;
    for (const listener of [...this.#listeners]) listener();
  }

  /** Calls back at each change between started and paused, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when the target is STARTED or the signal fires. */
  async started(signal: AbortSignal): Promise<void> {
    const wake = deferred();
    const check = () => {
      if (!this.paused || signal.aborted) wake.resolve();
    };
    const forget = this.onChange(check);
    signal.addEventListener("abort", check, { once: true });
    check();
    await wake.promise;
    forget();
    signal.removeEventListener("abort", check);
  }
}
