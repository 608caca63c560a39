import { setTimeout as sleep } from "node:timers/promises";

export interface WaitOptions {
  readonly withinMs: number;
  /** Completes "waited … ms for". */
  readonly what?: string;
  readonly everyMs?: number;
}

/** Waits until the condition holds. @throws Error when it does not within the deadline, or has no answer then */
export async function waitFor(
  condition: () => boolean | Promise<boolean>,
  { withinMs, what = "a condition", everyMs = 20 }: WaitOptions,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  const late = () => new Error(`waited ${withinMs} ms for ${what}`);
  while (!(await inTime(condition(), deadline, late))) {
    if (performance.now() > deadline) throw late();
    await sleep(everyMs);
  }
}

/** An answer gets at least a second, however late it was asked for. */
function inTime(
  answer: boolean | Promise<boolean>,
  deadline: number,
  late: () => Error,
): boolean | Promise<boolean> {
  if (typeof answer === "boolean") return answer;
  const leftMs = Math.max(1_000, deadline - performance.now());
  let timer: NodeJS.Timeout;
  const never = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), leftMs);
  });
  return Promise.race([answer, never]).finally(() => clearTimeout(timer));
}
