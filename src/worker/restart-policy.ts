import { Backoff, type BackoffOptions } from "../base/backoff.ts";
import type { ConfigText } from "../state/config-record.ts";

/** When an instance that has failed starts again. */
export interface RestartBounds {
  readonly delayMs: number;
  readonly delayMsMax: number;
  /** Restarts within the window before it; one failure more and it stays FAILED. -1 = no limit. */
  readonly attemptsMax: number;
  readonly windowMs: number;
  /** After running this long, delays and the count of attempts begin again. */
  readonly resetMs: number;
}

/** What happens to an instance that has failed. */
export type RestartPolicy =
  /** As in Connect: it stays FAILED until somebody restarts it. */
  { readonly at: "none" } | ({ readonly at: "on-failure" } & RestartBounds);

/**
 * Starts quickly enough for a hiccup, and slowly enough for a machine with many that fail. What fails
 * at every start is given up after some five minutes.
 */
export const restartBounds: RestartBounds = {
  delayMs: 1_000,
  delayMsMax: 60_000,
  attemptsMax: 10,
  windowMs: 600_000,
  resetMs: 600_000,
};

/** What the next step is. */
export type NextStart =
  | { readonly at: "again"; readonly delayMs: number }
  /** No policy, and nothing to say about it. */
  | { readonly at: "never" }
  /** Too often: `why` is a sentence for the status. */
  | { readonly at: "given-up"; readonly why: string };

/** The policy of one connector: its own `restart.policy`, else the worker's. */
export function restartPolicy(
  config: ConfigText,
  worker: "none" | "on-failure",
  bounds: RestartBounds,
): RestartPolicy {
  const own = config["restart.policy"]?.trim();
  const word = own === "none" || own === "on-failure" ? own : worker;
  return word === "none" ? { at: "none" } : { at: "on-failure", ...bounds };
}

/** The restarts of one instance; somebody who restarts it by hand gets new ones. */
export class Restarts {
  readonly #policy: RestartPolicy;
  readonly #backoff: Backoff;
  /** When it failed and was to start again, within the window; I5: at most `attemptsMax`. */
  #restartedMs: number[] = [];

  constructor(policy: RestartPolicy, random?: BackoffOptions["random"]) {
    this.#policy = policy;
    const { delayMs, delayMsMax } = policy.at === "none" ? restartBounds : policy;
    this.#backoff = new Backoff({
      firstMs: delayMs,
      maxMs: delayMsMax,
      ...(random === undefined ? {} : { random }),
    });
  }

  /** Delays and the count of attempts begin again. */
  reset(): void {
    this.#backoff.reset();
    this.#restartedMs = [];
  }

  /** It has failed at `nowMs`, after running for `ranMs`. */
  failed(nowMs: number, ranMs: number): NextStart {
    const policy = this.#policy;
    if (policy.at === "none" || policy.attemptsMax === 0) return { at: "never" };
    const { attemptsMax, windowMs, resetMs } = policy;
    if (ranMs >= resetMs) this.reset();
    if (attemptsMax > 0) {
      this.#restartedMs = this.#restartedMs.filter((atMs) => nowMs - atMs < windowMs);
      if (this.#restartedMs.length >= attemptsMax) {
        const why = `failed ${attemptsMax + 1} times within ${durationText(windowMs)} and was given up`;
        return { at: "given-up", why };
      }
      this.#restartedMs.push(nowMs);
    }
    return { at: "again", delayMs: this.#backoff.nextDelayMs() };
  }
}

/** `10 min`, `90 s`, `1500 ms`: the largest unit that says it exactly. */
function durationText(ms: number): string {
  if (ms >= 60_000 && ms % 60_000 === 0) return `${ms / 60_000} min`;
  return ms >= 1_000 && ms % 1_000 === 0 ? `${ms / 1_000} s` : `${ms} ms`;
}
