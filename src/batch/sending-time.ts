import type { Clock } from "../base/clock.ts";

/** How many records may have the same reading of the clock. */
const usesMax = 64;

/** The time of sending, for records without one: reading the clock costs as much as copying one. */
export class SendingTime {
  readonly #clock: Clock;
  #nowMs = 0;
  #uses = usesMax;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  nowMs(): number {
    this.#uses += 1;
    if (this.#uses >= usesMax) {
      this.#uses = 0;
      this.#nowMs = this.#clock.nowMs();
    }
    return this.#nowMs;
  }

  /** Time has passed: the next record looks again. */
  expire(): void {
    this.#uses = usesMax;
  }
}
