/**
 * The puts of all sink tasks in one process, as far as one of them may kill it: that one is on its way
 * alone, so that no other task's records are blamed for it.
 */
import { once } from "node:events";
import { type Deferred, deferred } from "../base/deferred.ts";

/** One per process. */
export class PutGate {
  /** Tasks with unanswered puts. */
  readonly #busy = new Set<object>();
  /** Nobody else's puts begin. */
  #reservedFor: object | undefined;
  #changed: Deferred<void> | undefined;

  /** Waits until `owner` may put; alone: until nobody else has puts on their way. Also when the signal fires. */
  async turn(owner: object, isAlone: boolean, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const isMine = this.#reservedFor === undefined || this.#reservedFor === owner;
      if (isMine && isAlone) this.#reservedFor = owner;
      if (isMine && (!isAlone || this.isOnly(owner))) break;
      this.#changed ??= deferred();
      const ended = new AbortController();
      const aborted = once(signal, "abort", { signal: ended.signal }).catch(() => {});
      await Promise.race([this.#changed.promise, aborted]);
      ended.abort();
    }
    // What is not sent need not be known.
    if (!signal.aborted) this.#busy.add(owner);
  }

  /** No other task has unanswered puts. */
  isOnly(owner: object): boolean {
    return this.#busy.size === 0 || (this.#busy.size === 1 && this.#busy.has(owner));
  }

  /** All its puts are answered, or it never puts again. */
  idle(owner: object): void {
    this.#busy.delete(owner);
    this.free(owner);
  }

  /** It ends with unanswered puts: they stay known, for those who ask what the process died of. */
  free(owner: object): void {
    if (this.#reservedFor === owner) this.#reservedFor = undefined;
    this.#changed?.resolve();
    this.#changed = undefined;
  }
}

/** One per host. */
export class PutGates {
  readonly #gates = new Map<number, { readonly gate: PutGate; tasks: number }>();

  /** A task begins in the process; call `leave` when it ends. */
  join(pid: number): PutGate {
    const known = this.#gates.get(pid) ?? { gate: new PutGate(), tasks: 0 };
    known.tasks += 1;
    this.#gates.set(pid, known);
    return known.gate;
  }

  leave(pid: number): void {
    const known = this.#gates.get(pid);
    if (known === undefined) return;
    known.tasks -= 1;
    if (known.tasks === 0) this.#gates.delete(pid);
  }
}
