/**
 * What becomes of a record that fails on its way, in either direction: tried again, left out or the
 * task's end, by the connector's `errors.*`; and who hears of it: the log, the dead letters, the counts.
 */
import { errorHint, HostError, RecordError, RetriableError, TaskError } from "../base/error.ts";
import type { TopicPartition } from "../kafka/kafka.ts";
import { type DeadLetter, failedWork, letterErrorOf } from "./dead-letter.ts";
import type { DeadLetterQueue } from "./dead-letter-queue.ts";
import { type Attempts, ErrorOperator, errorPolicy } from "./error-operator.ts";
import { logFailure } from "./failure-log.ts";
import type { TaskParts, TaskSpec } from "./task.ts";
import { toleranceExceeded } from "./task-failure.ts";

/** What was done to the record, under Connect's names. */
export interface RecordStep {
  stage: string;
  /** The class that did it. */
  className: string;
}

/** The record that failed, as far as somebody wants to hear of it. */
export interface FailedRecord {
  /** Without what went wrong; its bytes may be those of a batch. */
  letter(): Omit<DeadLetter, "stage" | "className" | "error">;
  /** Goes at the end of the line in the log. */
  logText(): string;
}

/** One per task. */
export class RecordFailures {
  readonly #spec: TaskSpec;
  readonly #parts: TaskParts;
  readonly #queue: DeadLetterQueue | undefined;
  readonly #operator: ErrorOperator;
  readonly isTolerant: boolean;
  /** Of the step that is being tried again. */
  #attempts: (Attempts & RecordStep) | undefined;

  constructor(spec: TaskSpec, parts: TaskParts, queue: DeadLetterQueue | undefined) {
    const policy = errorPolicy(spec.connectorConfig);
    this.#spec = spec;
    this.#parts = parts;
    this.#queue = queue;
    this.isTolerant = policy.isTolerant;
    this.#operator = new ErrorOperator(policy, parts.meter);
  }

  /**
   * A step failed on a record just now. Answers after how many milliseconds it is to be tried again;
   * undefined: the task goes on without the record.
   * @throws TaskError that ends the task
   */
  decide(step: RecordStep, error: unknown, record: FailedRecord): number | undefined {
    // What is no fault of the record or its step is nobody's to tolerate.
    const isRecords = error instanceof RecordError || error instanceof RetriableError;
    if (error instanceof HostError && !isRecords) throw error;
    const verdict = this.#operator.failed(error, this.#attemptsOf(step));
    if (verdict.at === "retry") return verdict.afterMs;
    this.#attempts = undefined;
    this.#report(step, error, record);
    if (verdict.at === "fatal") throw this.#fatal(step, error, record);
    return undefined;
  }

  /** A failure that the caller ends the task with. */
  count(): void {
    this.#operator.failedFatally();
  }

  /** Without asking again: the connector was found to tolerate it. */
  leaveOut(step: RecordStep, error: unknown, record: FailedRecord): void {
    this.#operator.leftOut();
    this.#report(step, error, record);
  }

  /** I7: tells whoever wants to know of a record that failed for good. */
  #report(step: RecordStep, error: unknown, record: FailedRecord): void {
    logFailure(this.#spec, this.#parts, step, record, error);
    if (this.#queue === undefined) return;
    const letter = { ...record.letter(), ...named(step) };
    this.#queue.write({ ...letter, error: letterErrorOf(error, letter) });
  }

  /** I5: asked before each batch, which is what may fail at once. */
  async room(signal: AbortSignal): Promise<void> {
    await this.#queue?.room(signal);
  }

  /**
   * Resolves once the letters of all records that failed so far are stored; I1 and I2: asked before offsets move.
   * @throws TaskError `task.dead_letter_failed`
   */
  async settled(partitions?: readonly TopicPartition[]): Promise<void> {
    await this.#queue?.settled(partitions);
  }

  #attemptsOf(step: RecordStep): Attempts {
    const known = this.#attempts;
    if (known?.stage === step.stage && known.className === step.className) return known;
    this.#attempts = { ...this.#operator.begin(), ...named(step) };
    return this.#attempts;
  }

  /** Connect's words, then what was done to which record, then why; and what to do about it. */
  #fatal(step: RecordStep, cause: unknown, record: FailedRecord): TaskError {
    const { what, remedy } = failedWork({ ...record.letter(), ...named(step) });
    const options = { cause, hint: errorHint(cause) ?? remedy };
    return toleranceExceeded(new TaskError("task.record_failed", what, options));
  }
}

function named({ stage, className }: RecordStep): RecordStep {
  return { stage, className };
}
