/** Time as a task sees it, so that a test can make it pass. */
export interface Clock {
  /** Calls `due` once `ms` have passed; the function it gives takes that back. */
  timer(ms: number, due: () => void): () => void;
}

export const realClock: Clock = {
  timer(ms, due) {
    const timer = setTimeout(due, ms);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `ms`, or at once when the signal fires; never rejects. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const over = () => {
      takeBack();
      signal.removeEventListener("abort", over);
      resolve();
    };
    const takeBack = clock.timer(ms, over);
    signal.addEventListener("abort", over, { once: true });
  });
}
