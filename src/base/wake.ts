/**
 * Lets one waiter sleep until something it watches has changed. A nudge that comes before the wait is
 * not lost, and a nudge says only "look again".
 */
export class Wake {
  #nudged = false;
  #resume: (() => void) | undefined;

  /** Bound, so that it can be handed to whatever is watched. */
  readonly nudge = (): void => {
    this.#nudged = true;
    this.#resume?.();
  };

  /** Resolves at a nudge, at most after `timeoutMs`, and at once when the signal fires. */
  async wait(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    if (!this.#nudged && timeoutMs > 0 && !signal?.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#resume = () => {
          clearTimeout(timer);
          resolve();
        };
        signal?.addEventListener("abort", this.#resume, { once: true });
      });
      if (this.#resume !== undefined) signal?.removeEventListener("abort", this.#resume);
      this.#resume = undefined;
    }
    this.#nudged = false;
  }
}
