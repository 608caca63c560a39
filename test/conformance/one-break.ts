/** For every clause a plugin that breaks it: the kit has to find that clause, and no other one. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Clause } from "../../src/conformance/clause.ts";
import { clauses } from "../../src/conformance/clauses.ts";
import { judgeBroken } from "./broken-plugin.ts";
import { assertKept, idsOf } from "./judged.ts";

// Most of the time goes by waiting for what a broken plugin does not do.
const breaksAtOnce = 3;
const answerMsMax = 5_000;
/** With `all` each break is judged by all clauses, which takes an hour. */
const thorough = process.env["BULKHEAD_CLAUSES"] === "all";

/** A test for each clause of those scopes. */
export function testBreaks(scopes: readonly Clause["of"][]): void {
  const chosen = clauses.filter((one) => scopes.includes(one.of));
  if (thorough) {
    test("a plugin that breaks nothing keeps every clause, and none is skipped", async () => {
      // A sink makes no calls to the host.
      const report = await judgeBroken(undefined, undefined, []);
      assertKept(report, ["calls.reader-free", "calls.failed"]);
    });
  }
  describe("a plugin that breaks one clause fails exactly that one:", {
    concurrency: breaksAtOnce,
  }, () => {
    for (const clause of chosen) test(clause.id, () => assertFound(clause));
  });
}

async function assertFound(clause: Clause): Promise<void> {
  const kind = clause.of === "sink" || clause.of === "stage" ? clause.of : "source";
  const neighbour = neighbourOf(clause);
  const only = thorough ? [] : [clause.id, neighbour];
  const report = await judgeBroken(clause.id, kind, only, answerMsMax);
  const failed = report.results.filter(({ verdict }) => verdict === "failed");
  assert.deepEqual(
    idsOf(report, "failed"),
    [clause.id],
    failed.map(({ id, seen }) => `${id}: ${seen}`).join("\n") || "nothing failed",
  );
  // A plugin without a hello, or without credit, cannot be judged further.
  if (["hello.in-time", "sink.credit", "stage.credit"].includes(clause.id)) return;
  const beside = report.results.find(({ id }) => id === neighbour);
  assert.equal(beside?.verdict, "passed", `${neighbour} beside it: ${beside?.seen}`);
}

/** The next one of the same kind: the one most likely to be hit too. */
function neighbourOf(clause: Clause): string {
  const alike = clauses.filter((one) => one.of === clause.of);
  return alike[(alike.indexOf(clause) + 1) % alike.length]?.id ?? clause.id;
}
