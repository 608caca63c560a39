/**
 * Whether a plugin process still answers, from its heartbeats alone: pure, fed with clock readings.
 * A process whose only thread is busy with user code sends none, so silence is first shown and is a
 * reason to kill only when the operator's patience ends (proto/README.md, section 3).
 */

/** How a plugin fares: `dead` is the verdict to kill it. */
export type Verdict = "fresh" | "stalled" | "dead";

export interface LivenessLimits {
  /** Told in Welcome. */
  readonly heartbeatMs: number;
  /** Silence from here on is shown. */
  readonly stalledAfterMs: number;
  /** Silence from here on is a reason to kill; 0 = never. */
  readonly timeoutMs: number;
  /** How often `tick` is called. */
  readonly tickMs: number;
}

/** Missed one after the other: 30 s with the default interval of 5 s. */
const heartbeatsMissedMax = 6;
const tickMsMin = 20;
const tickMsMax = 1_000;

/**
 * The limits that follow from the two worker keys. A timeout lower than some intervals would kill what
 * is healthy, so it shortens the interval: three heartbeats fit into it.
 */
export function livenessLimits(intervalMs: number, timeoutMs: number): LivenessLimits {
  const patienceMs = timeoutMs === 0 ? Number.POSITIVE_INFINITY : timeoutMs;
  const heartbeatMs = Math.max(1, Math.floor(Math.min(intervalMs, patienceMs / 3)));
  return {
    heartbeatMs,
    stalledAfterMs: Math.min(heartbeatMs * heartbeatsMissedMax, patienceMs / 2),
    timeoutMs,
    tickMs: Math.min(tickMsMax, Math.max(tickMsMin, Math.floor(heartbeatMs / 2))),
  };
}

/** The judge of one process. All readings are of one clock that never goes back, in milliseconds. */
export class Liveness {
  readonly limits: LivenessLimits;
  #silentMs = 0;
  /** The last heartbeat or tick. */
  #lastMs: number;

  /** Silence counts from `nowMs`, when the process said hello. */
  constructor(limits: LivenessLimits, nowMs: number) {
    this.limits = limits;
    this.#lastMs = nowMs;
  }

  /** A heartbeat came. */
  heard(nowMs: number): void {
    this.#silentMs = 0;
    this.#lastMs = nowMs;
  }

  /**
   * Judges. Silence is counted in ticks, and one that comes late counts as one: in the time that it
   * was late the host itself stood still (a stopped process, a suspended machine, a blocked loop) and
   * could hear nobody. What came in meanwhile is read before the next tick.
   */
  tick(nowMs: number): Verdict {
    this.#silentMs = this.silentMs(nowMs);
    this.#lastMs = nowMs;
    return this.#verdict();
  }

  /** How long no heartbeat has come, without the time in which the host stood still. */
  silentMs(nowMs: number): number {
    return this.#silentMs + Math.min(nowMs - this.#lastMs, this.limits.tickMs);
  }

  /** As the last tick saw it; a heartbeat ends it at once. */
  get stalled(): boolean {
    return this.#verdict() !== "fresh";
  }

  #verdict(): Verdict {
    const { stalledAfterMs, timeoutMs } = this.limits;
    if (timeoutMs > 0 && this.#silentMs >= timeoutMs) return "dead";
    return this.#silentMs >= stalledAfterMs ? "stalled" : "fresh";
  }
}
