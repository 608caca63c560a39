interface Kinded {
  kind: { case: string | undefined; value?: unknown };
}

type ValueOf<M extends Kinded, C> = Extract<M["kind"], { case: C }>["value"];

/** Only guards a wait: a busy machine may hold a process up. */
const waitMsMax = 20_000;

/** What the work resolves with. @throws Error when it takes longer than any wait here may */
export async function inTime<T>(work: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${waitMsMax} ms`)), waitMsMax);
  });
  return await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** Messages as they came; a test takes those of one kind and finds the rest still there. */
export class Inbox<M extends Kinded> {
  readonly #messages: M[] = [];
  readonly #waiters = new Set<() => void>();
  #end: string | undefined;

  push(message: M): void {
    this.#messages.push(message);
    this.#wake();
  }

  close(reason: string): void {
    this.#end ??= reason;
    this.#wake();
  }

  /** The reason of the stream's end. */
  async ended(): Promise<string> {
    await this.#until(() => this.#end !== undefined, "the end of the stream");
    return this.#end!;
  }

  /** The next message of this kind. */
  async next<C extends NonNullable<M["kind"]["case"]>>(kind: C): Promise<ValueOf<M, C>> {
    const find = () => this.#messages.findIndex((one) => one.kind.case === kind);
    await this.#until(() => find() >= 0, kind);
    return this.#messages.splice(find(), 1)[0]!.kind.value as ValueOf<M, C>;
  }

  /** The next message of any of these kinds. */
  async first(kinds: readonly NonNullable<M["kind"]["case"]>[]): Promise<M> {
    const find = () => this.#messages.findIndex((one) => kinds.includes(one.kind.case as never));
    await this.#until(() => find() >= 0, kinds.join(" or "));
    return this.#messages.splice(find(), 1)[0]!;
  }

  /** The kinds that are there and were not taken. */
  get kinds(): (string | undefined)[] {
    return this.#messages.map((one) => one.kind.case);
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + waitMsMax;
    while (!condition()) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0 || (this.#end !== undefined && what !== "the end of the stream")) {
        throw new Error(`no ${what}; there is ${this.kinds.join(" ")}; end: ${this.#end}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, leftMs);
        const waiters = this.#waiters;
        function done() {
          clearTimeout(timer);
          waiters.delete(done);
          resolve();
        }
        waiters.add(done);
      });
    }
  }

  #wake(): void {
    for (const wake of [...this.#waiters]) wake();
  }
}
