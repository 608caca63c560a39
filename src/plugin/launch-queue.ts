/** Starts a few processes at a time, so that many connectors that fail together do not choke the machine. */
import { cpus } from "node:os";
import type { Clock } from "../base/clock.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { TaskError } from "../base/error.ts";

export interface LaunchQueueOptions {
  readonly clock: Clock;
  /** Launches side by side. */
  readonly atOnceMax?: number;
  /**
   * How long a launch counts: one that takes longer waits for something else than the processor, and
   * a program that hangs before its hello must not keep the others from starting.
   */
  readonly countedMsMax?: number;
  readonly waitingMax?: number;
}

/** Takes launches in order. */
export class LaunchQueue {
  readonly #options: Required<LaunchQueueOptions>;
  readonly #waiting = new Set<Deferred<void>>();
  #counted = 0;

  constructor(options: LaunchQueueOptions) {
    const atOnceMax = Math.max(2, cpus().length);
    this.#options = { atOnceMax, countedMsMax: 2_000, waitingMax: 10_000, ...options };
  }

  /**
   * Runs `launch` when its turn comes, and settles as it does.
   * @throws TaskError `plugin.launch_failed` when too many wait; the signal's reason while it waits
   */
  async run<T>(launch: () => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#turn(signal);
    const ended = new AbortController();
    const { clock, countedMsMax } = this.#options;
    void clock.sleep(countedMsMax, ended.signal).then(() => this.#next());
    try {
      return await launch();
    } finally {
      ended.abort();
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    const { atOnceMax, waitingMax } = this.#options;
    signal.throwIfAborted();
    if (this.#counted < atOnceMax) {
      this.#counted += 1;
      return;
    }
    // I5: more than these are a fault of their own.
    if (this.#waiting.size >= waitingMax) {
      const text = `cannot start a plugin process: ${waitingMax} others wait to be started`;
      throw new TaskError("plugin.launch_failed", text);
    }
    const turn = deferred();
    const abort = () => {
      // At once: whoever hands on a turn in this moment must not hand it here.
      this.#waiting.delete(turn);
      turn.reject(signal.reason);
    };
    this.#waiting.add(turn);
    signal.addEventListener("abort", abort, { once: true });
    try {
      await turn.promise;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Hands the turn of one that is over to the next. */
  #next(): void {
    const [turn] = this.#waiting;
    if (turn === undefined) this.#counted -= 1;
    else {
      this.#waiting.delete(turn);
      turn.resolve();
    }
  }
}
