/** A chain with transforms or predicates that live in plugins: step by step over many records at once. */
import { HostError } from "../base/error.ts";
import type { ConnectRecord } from "../record/connect-record.ts";
import type { Step } from "../transform/step.ts";
import type { RecordStep } from "./record-failures.ts";
import type { StageExchange, StageVerdict } from "./stage-exchange.ts";

/** One step of such a chain; what is not of a plugin is the step's own. */
export interface StagedStep {
  readonly step: Step;
  readonly predicate: StageExchange | undefined;
  readonly transform: StageExchange | undefined;
}

/** What became of a record in the chain. */
export type ChainOutcome =
  | { readonly at: "kept"; readonly record: ConnectRecord }
  | { readonly at: "dropped" }
  | { readonly at: "failed"; readonly error: unknown; readonly step: RecordStep };

export class StageChain {
  readonly #steps: readonly StagedStep[];

  constructor(steps: readonly StagedStep[]) {
    this.#steps = steps;
  }

  /**
   * The outcome of each record, in their order; undefined when the signal fired before. The records may be
   * changed.
   * @throws TaskError when a stage has failed as a whole or is gone
   */
  async run(
    records: readonly ConnectRecord[],
    signal: AbortSignal,
  ): Promise<readonly ChainOutcome[] | undefined> {
    const run = new ChainRun(records);
    for (const step of this.#steps) {
      await run.take(step, signal);
      if (signal.aborted) return undefined;
    }
    return run.outcomes;
  }
}

/** The records of one run on their way. */
class ChainRun {
  readonly outcomes: ChainOutcome[];

  constructor(records: readonly ConnectRecord[]) {
    this.outcomes = records.map((record) => ({ at: "kept", record }));
  }

  async take(staged: StagedStep, signal: AbortSignal): Promise<void> {
    const meant = await this.#meantFor(staged, this.#kept(), signal);
    const { step, transform } = staged;
    if (transform === undefined) {
      this.#each(step, meant, (record, index) => {
        if (!step.transform.apply(record)) this.outcomes[index] = { at: "dropped" };
      });
      return;
    }
    const verdicts = await transform.run("apply", this.#recordsAt(meant), signal);
    verdicts.forEach((verdict, n) => {
      this.#settle(step, meant[n] as number, verdict);
    });
  }

  #kept(): number[] {
    return this.outcomes.flatMap((outcome, index) => (outcome.at === "kept" ? [index] : []));
  }

  /** Indexes of those that the step's predicate leaves to it. */
  async #meantFor(
    { step, predicate }: StagedStep,
    kept: readonly number[],
    signal: AbortSignal,
  ): Promise<readonly number[]> {
    if (predicate === undefined && step.predicate === null) return kept;
    const meant: number[] = [];
    if (predicate === undefined) {
      this.#each(step, kept, (record, index) => {
        if (step.predicate?.test(record) !== step.negate) meant.push(index);
      });
      return meant;
    }
    const verdicts = await predicate.run("test", this.#recordsAt(kept), signal);
    verdicts.forEach((verdict, n) => {
      const index = kept[n] as number;
      if (verdict.at === "held" && verdict.holds !== step.negate) meant.push(index);
      if (verdict.at === "failed") this.#settle(step, index, verdict);
    });
    return meant;
  }

  #recordsAt(indexes: readonly number[]): ConnectRecord[] {
    return indexes.flatMap((index) => {
      const outcome = this.outcomes[index];
      return outcome?.at === "kept" ? [outcome.record] : [];
    });
  }

  #each(
    step: Step,
    indexes: readonly number[],
    work: (record: ConnectRecord, index: number) => void,
  ): void {
    for (const index of indexes) {
      const outcome = this.outcomes[index];
      if (outcome?.at !== "kept") continue;
      try {
        work(outcome.record, index);
      } catch (error) {
        if (!(error instanceof HostError)) throw error;
        this.#settle(step, index, { at: "failed", error });
      }
    }
  }

  #settle({ className }: Step, index: number, verdict: StageVerdict): void {
    if (verdict.at === "held") return;
    this.outcomes[index] =
      verdict.at === "failed"
        ? { at: "failed", error: verdict.error, step: { stage: "TRANSFORMATION", className } }
        : verdict;
  }
}
