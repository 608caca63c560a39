import { setTimeout as wait } from "node:timers/promises";

/** A promise with its ends outside. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(reason: unknown): void;
}

/** A rejection nobody waits for is not reported as unhandled. */
export function deferred<T = void>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/** Resolves after `ms`, or at once when the signal fires; never rejects. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch(() => {});
}

/** A reason for an AbortSignal that code which knows AbortError understands. */
export function abortReason(text: string): DOMException {
  return new DOMException(text, "AbortError");
}
