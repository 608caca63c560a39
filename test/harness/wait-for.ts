import { setTimeout as sleep } from "node:timers/promises";

export interface WaitOptions {
  readonly withinMs: number;
  /** Completes "waited … ms for". */
  readonly what?: string;
  readonly everyMs?: number;
}

/** Waits until the condition holds. @throws Error when it does not within the deadline. */
export async function waitFor(
  condition: () => boolean | Promise<boolean>,
  { withinMs, what = "a condition", everyMs = 20 }: WaitOptions,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms for ${what}`);
    await sleep(everyMs);
  }
}
