/** A plugin judged by the kit, and what a test asks of the report. */
import assert from "node:assert/strict";
import { type CheckTarget, check } from "../../src/check.ts";
import type { ConformanceReport, Verdict } from "../../src/conformance/conformance.ts";

/** Checks a plugin with what the command's defaults are. */
export function judge(
  target: Partial<CheckTarget> & Pick<CheckTarget, "plugin">,
  only: readonly string[] = [],
  answerMsMax = 10_000,
): Promise<ConformanceReport> {
  return check(
    { configs: [], setup: undefined, ...target },
    { only, answerMsMax, casesAtOnceMax: 2 },
  );
}

/** Ids with a verdict, each once. */
export function idsOf({ results }: ConformanceReport, verdict: Verdict): string[] {
  return [...new Set(results.filter((one) => one.verdict === verdict).map(({ id }) => id))];
}

/** Nothing failed, and nothing was skipped but what the test knows of. */
export function assertKept(report: ConformanceReport, skipped: readonly string[]): void {
  const failed = report.results
    .filter(({ verdict }) => verdict === "failed")
    .map(({ id, className, seen }) => `${id} of ${className ?? "the program"}: ${seen}`);
  assert.deepEqual(failed, []);
  const reasons = new Map(report.results.map(({ id, seen }) => [id, seen]));
  const unexpected = idsOf(report, "skipped").filter((id) => !skipped.includes(id));
  assert.deepEqual(
    unexpected.map((id) => `${id}: ${reasons.get(id)}`),
    [],
    "clauses that were judged before are not judged any more",
  );
}
