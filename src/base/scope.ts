/**
 * I6: nothing outlives its scope. A scope is a signal, a list of cleanups and the work that was
 * spawned on it. Closing it fires the signal, waits for the work, then runs the cleanups in reverse
 * order. Whoever makes a scope closes it; there are no floating promises.
 */
export class Scope {
  readonly #controller = new AbortController();
  readonly #cleanups: (() => unknown)[] = [];
  readonly #work = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(parent?: AbortSignal) {
    if (parent === undefined) return;
    const stop = () => this.#controller.abort(parent.reason);
    if (parent.aborted) stop();
    else {
      parent.addEventListener("abort", stop, { once: true });
      this.defer(() => parent.removeEventListener("abort", stop));
    }
  }

  /** Fires when the scope (or its parent) is asked to end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Runs `cleanup` when the scope closes, last added first. */
  defer(cleanup: () => unknown): void {
    this.#cleanups.push(cleanup);
  }

  /** Starts work that the scope waits for. An error of the work goes to `onError` unless stopping. */
  spawn(work: (signal: AbortSignal) => Promise<unknown>, onError: (error: unknown) => void): void {
    const running = work(this.signal)
      .catch((error: unknown) => {
        if (!this.signal.aborted) onError(error);
      })
      .finally(() => this.#work.delete(running));
    this.#work.add(running);
  }

  /** Ends everything. May be called more than once; the first call decides the reason. */
  close(reason?: unknown): Promise<void> {
    this.#closing ??= this.#end(reason);
    return this.#closing;
  }

  async #end(reason: unknown): Promise<void> {
    this.#controller.abort(reason);
    await Promise.allSettled(this.#work);
    const failures: unknown[] = [];
    for (const cleanup of this.#cleanups.reverse()) {
      try {
        await cleanup();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
