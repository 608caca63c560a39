/** The id and epoch of an idempotent producer: asked for once, and a new epoch when one is spoilt. */
import type { Clock } from "../../base/clock.ts";
import { RetriableError } from "../../base/error.ts";
import { brokerError } from "../broker-error.ts";
import type { Connections } from "../calls.ts";
import { initProducerId } from "../protocol/init-producer-id.ts";
import type { ProducerIdentity } from "./produce-batch.ts";

const epochMax = 32_767;

/** What a producer without transactions asks for: it has no transaction that could time out. */
const request = { transactionalId: null, transactionTimeoutMs: 2_147_483_647 };

export interface IdentityParts {
  readonly connections: Connections;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly retryBackoffMs: number;
  /** There is one now. */
  readonly ready: () => void;
  /** There will be none; the next need asks again. */
  readonly failed: (error: Error) => void;
}

export class IdentitySource {
  readonly #parts: IdentityParts;
  #current: ProducerIdentity | undefined;
  #asking: Promise<void> | undefined;

  constructor(parts: IdentityParts) {
    this.#parts = parts;
  }

  /** Undefined while it is asked for: `ready` or `failed` follows. */
  get(): ProducerIdentity | undefined {
    if (this.#current === undefined) this.#asking ??= this.#ask();
    return this.#current;
  }

  /** Another one than this, for a partition whose sequence cannot go on. */
  leave(spoilt: ProducerIdentity): void {
    if (this.#current !== spoilt) return;
    const { id, epoch } = spoilt;
    // A client may raise its epoch by itself as long as there are epochs left.
    this.#current = epoch < epochMax ? { id, epoch: epoch + 1 } : undefined;
  }

  async #ask(): Promise<void> {
    const { signal, ready, failed } = this.#parts;
    try {
      this.#current = await this.#answer();
      this.#asking = undefined;
      ready();
    } catch (error) {
      this.#asking = undefined;
      if (!signal.aborted) failed(error as Error);
    }
  }

  /** @throws TaskError when the cluster gives none */
  async #answer(): Promise<ProducerIdentity> {
    const { connections, clock, signal, timeoutMs, retryBackoffMs } = this.#parts;
    for (;;) {
      try {
        const options = { timeoutMs, signal };
        const answer = await connections.call({ at: "any" }, initProducerId, request, options);
        const { errorCode, producerId: id, producerEpoch: epoch } = answer;
        if (errorCode === 0) return { id, epoch };
        throw brokerError(errorCode, "get a producer id for enable.idempotence=true");
      } catch (error) {
        // A fresh broker answers COORDINATOR_LOAD_IN_PROGRESS until it has a block of ids.
        if (!(error instanceof RetriableError) || signal.aborted) throw error;
        await clock.sleep(retryBackoffMs, signal);
        signal.throwIfAborted();
      }
    }
  }
}
