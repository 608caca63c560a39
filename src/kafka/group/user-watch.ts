import type { Clock } from "../../base/clock.ts";

export interface UserWatchOptions {
  readonly clock: Clock;
  readonly awayMsMax: number;
  readonly tickMs: number;
  onExpired(): void;
}

/**
 * Counts how long the user of a member is busy elsewhere, in ticks: time in which this process was
 * stopped, or too busy to tick, is not counted against it.
 */
export class UserWatch {
  readonly #options: UserWatchOptions;
  #away: { readonly sinceMs: number; spentMs: number; isExpired: boolean } | undefined;

  constructor(options: UserWatchOptions) {
    this.#options = options;
  }

  left(): void {
    this.#away = { sinceMs: this.#options.clock.elapsedMs(), spentMs: 0, isExpired: false };
  }

  back(): void {
    this.#away = undefined;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, tickMs, awayMsMax, onExpired } = this.#options;
    while (!signal.aborted) {
      const leftMs = awayMsMax - (this.#away?.spentMs ?? 0);
      const thisTickMs = leftMs > 0 ? Math.min(tickMs, leftMs) : tickMs;
      const beganMs = clock.elapsedMs();
      await clock.sleep(thisTickMs, signal);
      const away = this.#away;
      if (away === undefined || away.isExpired || signal.aborted) continue;
      const passedMs = clock.elapsedMs() - Math.max(beganMs, away.sinceMs);
      away.spentMs += Math.min(thisTickMs, passedMs);
      if (away.spentMs < awayMsMax) continue;
      away.isExpired = true;
      onExpired();
    }
  }
}
