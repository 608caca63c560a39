import type { CallOptions } from "../calls.ts";
import type { Api } from "../protocol/api.ts";

/** Any call, where its own types do not matter. */
export type AnyCall = BrokerCall<unknown, unknown>;

/** One request on its way to an answer, whichever connection carries it. */
export class BrokerCall<Request, Response> {
  readonly api: Api<Request, Response>;
  readonly request: Request;
  readonly timeoutMs: number;
  readonly isAnswered: boolean;
  readonly memory: ((bytes: number) => Uint8Array) | undefined;
  readonly promise: Promise<Response>;
  /** On the connection that it was sent on; both mean nothing before that. */
  version = 0;
  correlationId = 0;
  /** By `performance.now()`; counted from when it was sent. */
  deadlineMs = 0;
  /** A broker may have it: it must not be sent a second time without the caller. */
  isSent = false;
  #isSettled = false;
  #resolve!: (response: Response) => void;
  #reject!: (reason: unknown) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #abort: (() => void) | undefined;

  constructor(
    api: Api<Request, Response>,
    request: Request,
    options: CallOptions & { timeoutMs: number },
  ) {
    this.api = api;
    this.request = request;
    this.timeoutMs = options.timeoutMs;
    this.isAnswered = options.isAnswered ?? true;
    this.memory = options.memory;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const { signal } = options;
    this.#signal = signal;
    if (signal === undefined) return;
    this.#abort = () => this.fail(signal.reason);
    if (signal.aborted) this.#abort();
    else signal.addEventListener("abort", this.#abort, { once: true });
  }

  /** It has its outcome; what the broker still says of it is dropped. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  succeed(response: Response): void {
    if (this.#settle()) this.#resolve(response);
  }

  fail(reason: unknown): void {
    if (this.#settle()) this.#reject(reason);
  }

  #settle(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    if (this.#abort !== undefined) this.#signal?.removeEventListener("abort", this.#abort);
    return true;
  }
}
