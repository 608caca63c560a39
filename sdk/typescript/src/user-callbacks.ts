import { type Deferred, deferred } from "./deferred.ts";

const pendingMax = 16;

/** The user's `acked` and `committed`, one after the other in the order they came. */
export class UserCallbacks {
  #last: Promise<void> = Promise.resolve();
  #pending = 0;
  #room: Deferred<void> | undefined;
  #closed = false;

  /** @param call must not reject */
  run(call: () => Promise<void>): void {
    this.#pending += 1;
    this.#last = this.#last.then(call).then(() => {
      this.#pending -= 1;
      if (this.#pending <= pendingMax) this.#release();
    });
  }

  /**
   * I5: what to wait for before the next poll, so that slow callbacks cannot pile up records without
   * end; undefined = nothing.
   */
  get room(): Promise<void> | undefined {
    if (this.#pending <= pendingMax || this.#closed) return undefined;
    this.#room ??= deferred();
    return this.#room.promise;
  }

  /** No poll will follow: nobody has to wait for room any more. */
  close(): void {
    this.#closed = true;
    this.#release();
  }

  /** Resolves when the last one has returned. */
  async settled(): Promise<void> {
    await this.#last;
  }

  #release(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}
