/** What happens to one record on its way, step by step, as texts: what is shown may not change any more. */
import { HostError, RecordError, RetriableError } from "../base/error.ts";
import type { ConnectorConfig } from "../plugin/plugin.ts";
import type { ConnectRecord } from "../record/connect-record.ts";
import { writeRecord } from "../record/tagged-json.ts";
import { deadLetterSettings } from "../task/dead-letter-settings.ts";
import { errorPolicy } from "../task/error-operator.ts";
import type { RecordStep } from "../task/record-failures.ts";
import type { StagedStep } from "../task/stage-chain.ts";
import { outcomeOf } from "./preview-chain.ts";

/** One transform on one record. `record`: in the notation of `bulkhead transform --json-lines`. */
export interface SeenStep {
  readonly alias: string;
  readonly className: string;
  readonly result:
    | { readonly at: "changed"; readonly record: string }
    /** `skipped`: its predicate did not mean the record. */
    | { readonly at: "unchanged" | "skipped" | "dropped" | "failed" };
}

/** What would be written to the log. */
export interface WrittenRecord {
  readonly topic: string;
  /** Null: by the key. */
  readonly partition: number | null;
  /** Null: the time of sending. */
  readonly timestampMs: number | null;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly { readonly name: string; readonly value: Uint8Array | null }[];
}

export type RecordEnd =
  | { readonly at: "written"; readonly record: WrittenRecord }
  /** The plugin would get it as it is after the last step. */
  | { readonly at: "put" }
  | { readonly at: "dropped"; readonly by: SeenStep }
  /** `fate`: what the connector's `errors.*` would make of it. */
  | {
      readonly at: "failed";
      readonly step: RecordStep;
      readonly error: unknown;
      readonly fate: string;
    };

/** One record from where it was read to its end. */
export interface SeenRecord {
  /** JSON texts by name. */
  readonly place: Readonly<Record<string, string>>;
  /** Before the first step; null where the record could not be read. */
  readonly before: string | null;
  readonly steps: readonly SeenStep[];
  readonly end: RecordEnd;
}

/**
 * Applies the steps to the record until one drops it or fails. `through`: it came through; undefined when the
 * signal fired.
 * @throws TaskError as `outcomeOf`
 */
export async function stepThrough(
  steps: readonly StagedStep[],
  given: ConnectRecord,
  seen: SeenStep[],
  config: ConnectorConfig,
  signal: AbortSignal,
): Promise<RecordEnd | "through" | undefined> {
  let record = given;
  let before = writeRecord(record);
  for (const staged of steps) {
    const { alias, className } = staged.step;
    const see = (result: SeenStep["result"]) => {
      const one = { alias, className, result };
      seen.push(one);
      return one;
    };
    const outcome = await outcomeOf(staged, record, signal);
    if (outcome === undefined) return undefined;
    if (outcome.at === "failed") {
      see({ at: "failed" });
      return failedAt({ stage: "TRANSFORMATION", className }, outcome.error, config);
    }
    if (outcome.at === "dropped") return { at: "dropped", by: see({ at: "dropped" }) };
    if (outcome.at === "skipped") {
      see({ at: "skipped" });
      continue;
    }
    record = outcome.record;
    const after = writeRecord(record);
    see(after === before ? { at: "unchanged" } : { at: "changed", record: after });
    before = after;
  }
  return "through";
}

/** The end of a record by something that was done to it. */
export function failedAt(step: RecordStep, error: unknown, config: ConnectorConfig): RecordEnd {
  const { stage, className } = step;
  return { at: "failed", step: { stage, className }, error, fate: fateOf(error, config) };
}

/** As `RecordFailures` decides, in words. */
function fateOf(error: unknown, config: ConnectorConfig): string {
  const isRetriable = error instanceof RetriableError;
  if (error instanceof HostError && !isRetriable && !(error instanceof RecordError)) {
    return "the task would end, whatever errors.tolerance says";
  }
  const { isTolerant, retryMsMax } = errorPolicy(config);
  const letters = deadLetterSettings(config);
  const leftOut = `the record would be left out${letters === undefined ? "" : ` and written to ${letters.topic}`}`;
  if (!isRetriable) {
    return isTolerant
      ? `${leftOut} (errors.tolerance=all)`
      : "the task would end (errors.tolerance=none)";
  }
  if (retryMsMax === 0) return `${leftOut} (errors.retry.timeout=0)`;
  if (retryMsMax < 0)
    return `it would be tried again for ever (errors.retry.timeout=${retryMsMax})`;
  return `it would be tried again for ${retryMsMax} ms (errors.retry.timeout), then ${leftOut}`;
}
