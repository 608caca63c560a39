import { sleep } from "./deferred.ts";

// A host that is gone takes the session with the stream, though the stream's end may be seen first.
const sessionEndMsMax = 100;

/** Whether there is still a host that listens to a task, and a process for it to clean up in. */
export class TaskLife {
  readonly #abandon = new AbortController();
  /** The stream has ended without a stop. */
  isCutOff = false;

  /** The session has ended: no user code is called any more. */
  get abandoned(): boolean {
    return this.#abandon.signal.aborted;
  }

  /** Says whether this is the first time. */
  cutOff(): boolean {
    const first = !this.isCutOff;
    this.isCutOff = true;
    return first;
  }

  abandon(): void {
    this.#abandon.abort();
  }

  /**
   * Whether the user's `stop` runs: always while the session lives, so that nothing that `start`
   * opened is left behind in a process that goes on.
   */
  async mayStop(): Promise<boolean> {
    if (this.isCutOff) await sleep(sessionEndMsMax, this.#abandon.signal);
    return !this.abandoned;
  }
}
