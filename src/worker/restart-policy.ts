import { Backoff, type BackoffOptions } from "../base/backoff.ts";
import type { ConfigText } from "../state/config-record.ts";

/** What happens to an instance that has failed. */
export type RestartPolicy =
  /** As in Connect: it stays FAILED until somebody restarts it. */
  | { readonly at: "none" }
  | {
      readonly at: "on-failure";
      readonly delayMs: number;
      readonly delayMsMax: number;
      /** After running this long it begins again at `delayMs`. */
      readonly wellMs: number;
    };

export interface RestartBounds {
  readonly delayMs: number;
  readonly delayMsMax: number;
  readonly wellMs: number;
}

/** Starts quickly enough for a hiccup, and slowly enough for a machine with many that fail. */
export const restartBounds: RestartBounds = {
  delayMs: 1_000,
  delayMsMax: 60_000,
  wellMs: 60_000,
};

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

/** The restarts of one instance. */
export class Restarts {
  readonly #policy: RestartPolicy;
  readonly #backoff: Backoff;

  constructor(policy: RestartPolicy, random?: BackoffOptions["random"]) {
    this.#policy = policy;
    const { delayMs, delayMsMax } = policy.at === "none" ? restartBounds : policy;
    this.#backoff = new Backoff({
      firstMs: delayMs,
      maxMs: delayMsMax,
      ...(random === undefined ? {} : { random }),
    });
  }

  /** How long to wait before the next start; undefined: do not start again. */
  delayMs(ranMs: number): number | undefined {
    if (this.#policy.at === "none") return undefined;
    if (ranMs >= this.#policy.wellMs) this.#backoff.reset();
    return this.#backoff.nextDelayMs();
  }
}
