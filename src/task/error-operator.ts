/**
 * What becomes of a step on one record that failed: again, without the record, or the end of the task.
 * It decides and counts; the caller runs the step, waits and reports. So a step that works costs nothing here.
 *
 * @see reference: Kafka Connect's RetryWithToleranceOperator, whose order of counts this keeps.
 */
import { RetriableError } from "../base/error.ts";
import type { ConnectorConfig } from "../plugin/plugin.ts";

/** From `errors.*`. */
export interface ErrorPolicy {
  /** Records that fail are left out. */
  readonly isTolerant: boolean;
  /** How long one step may be tried again; negative = for ever, 0 = never. */
  readonly retryMsMax: number;
  /** No wait between two tries is longer. */
  readonly delayMsMax: number;
}

/** Of a config that was found valid. */
export function errorPolicy(config: ConnectorConfig): ErrorPolicy {
  return {
    isTolerant: config["errors.tolerance"]?.trim().toLowerCase() === "all",
    retryMsMax: Number(config["errors.retry.timeout"]?.trim() || "0"),
    delayMsMax: Number(config["errors.retry.delay.max.ms"]?.trim() || "60000"),
  };
}

/** Under the names of Connect's task-error-metrics. */
export interface ErrorCounts {
  /** Tries that failed, also those that were followed by another. */
  totalRecordFailures: number;
  /** Records that failed for good. */
  totalRecordErrors: number;
  /** Those of them that the task went on without. */
  totalRecordsSkipped: number;
  totalRetries: number;
  /** Milliseconds since the epoch; 0 = nothing failed yet. */
  lastErrorTimestamp: number;
}

/** All but `retry` are final: the caller reports the failure, in both cases and before it throws. */
export type Verdict =
  | { readonly at: "retry"; readonly afterMs: number }
  | { readonly at: "left-out" }
  | { readonly at: "fatal" };

/** One step on one record, from its first failure on. */
export interface Attempts {
  /** How often it has failed. */
  count: number;
  /** When it failed first: within a try of when it began, which Connect counts from. */
  readonly sinceMs: number;
}

export interface OperatorParts {
  readonly nowMs: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

const firstDelayMs = 300;

/** One per task. */
export class ErrorOperator {
  readonly #policy: ErrorPolicy;
  readonly #counts: ErrorCounts;
  readonly #parts: OperatorParts;

  constructor(
    policy: ErrorPolicy,
    counts: ErrorCounts,
    parts: OperatorParts = { nowMs: Date.now, random: Math.random },
  ) {
    this.#policy = policy;
    this.#counts = counts;
    this.#parts = parts;
  }

  /** For the first failure of a step; each further one goes by the same object. */
  begin(): Attempts {
    return { count: 0, sinceMs: this.#parts.nowMs() };
  }

  /** Tells what to do about a try that failed just now. */
  failed(error: unknown, attempts: Attempts): Verdict {
    attempts.count += 1;
    this.#counts.totalRecordFailures += 1;
    if (!(error instanceof RetriableError)) return this.#final();
    const leftMs = this.#leftMs(attempts);
    if (leftMs > 0) {
      this.#counts.totalRetries += 1;
      return { at: "retry", afterMs: Math.min(this.#delayMs(attempts.count), leftMs) };
    }
    // Connect's quirk: the time for retries ran out, so the record is left out whatever is tolerated.
    this.#markFailed();
    this.#counts.totalRecordsSkipped += 1;
    return { at: "left-out" };
  }

  /** Connect's `executeFailed`: a record failed where nothing is tried again, and that is tolerated. */
  leftOut(): void {
    this.#counts.totalRecordFailures += 1;
    this.#counts.totalRecordsSkipped += 1;
    this.#counts.lastErrorTimestamp = this.#parts.nowMs();
  }

  /** As `leftOut`, of a record that ends the task. */
  failedFatally(): void {
    this.#counts.totalRecordFailures += 1;
    this.#markFailed();
  }

  #final(): Verdict {
    this.#markFailed();
    if (!this.#policy.isTolerant) return { at: "fatal" };
    this.#counts.totalRecordsSkipped += 1;
    return { at: "left-out" };
  }

  /** I7: whatever failed for good is counted once. */
  #markFailed(): void {
    this.#counts.totalRecordErrors += 1;
    this.#counts.lastErrorTimestamp = this.#parts.nowMs();
  }

  #leftMs({ sinceMs }: Attempts): number {
    const { retryMsMax } = this.#policy;
    if (retryMsMax < 0) return Number.POSITIVE_INFINITY;
    return sinceMs + retryMsMax - this.#parts.nowMs();
  }

  /** Doubles from try to try; beyond the longest it is any below that. */
  #delayMs(attempt: number): number {
    const { delayMsMax } = this.#policy;
    const delayMs = firstDelayMs * 2 ** (attempt - 1);
    return delayMs > delayMsMax ? Math.floor(this.#parts.random() * delayMsMax) : delayMs;
  }
}
