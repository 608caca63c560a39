import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RecordError, RetriableError } from "../base/error.ts";
import { type ErrorCounts, ErrorOperator, errorPolicy } from "./error-operator.ts";

const bad = new RecordError("transform.failed", "no such field");
const busy = new RetriableError("kafka.broker_busy", "not now");

function operatorOf(config: Record<string, string>) {
  const counts: ErrorCounts = {
    totalRecordFailures: 0,
    totalRecordErrors: 0,
    totalRecordsSkipped: 0,
    totalRetries: 0,
    lastErrorTimestamp: 0,
  };
  const clock = { ms: 1_000 };
  const parts = { nowMs: () => clock.ms, random: () => 0.5 };
  return { operator: new ErrorOperator(errorPolicy(config), counts, parts), counts, clock };
}

describe("the error operator", () => {
  it("ends the task by the first record that fails, unless told otherwise", () => {
    const { operator, counts } = operatorOf({});
    assert.deepEqual(operator.failed(bad, operator.begin()), { at: "fatal" });
    assert.deepEqual(counts, {
      totalRecordFailures: 1,
      totalRecordErrors: 1,
      totalRecordsSkipped: 0,
      totalRetries: 0,
      lastErrorTimestamp: 1_000,
    });
  });

  it("leaves the record out where errors are tolerated, in any case of letters", () => {
    const { operator, counts } = operatorOf({ "errors.tolerance": " ALL" });
    assert.deepEqual(operator.failed(bad, operator.begin()), { at: "left-out" });
    assert.equal(counts.totalRecordsSkipped, 1);
    assert.equal(counts.totalRecordErrors, 1);
  });

  it("doubles its waits, takes any below the longest beyond it, and ends at the deadline", () => {
    const { operator, counts, clock } = operatorOf({
      "errors.retry.timeout": "2500",
      "errors.retry.delay.max.ms": "1000",
    });
    const attempts = operator.begin();
    const waits: number[] = [];
    for (;;) {
      const verdict = operator.failed(busy, attempts);
      if (verdict.at !== "retry") {
        assert.equal(verdict.at, "left-out", "with tolerance none, too: Connect's quirk");
        break;
      }
      waits.push(verdict.afterMs);
      clock.ms += verdict.afterMs;
    }
    assert.deepEqual(waits, [300, 600, 500, 500, 500, 100]);
    assert.deepEqual(counts, {
      totalRecordFailures: 7,
      totalRecordErrors: 1,
      totalRecordsSkipped: 1,
      totalRetries: 6,
      lastErrorTimestamp: 3_500,
    });
  });

  it("tries for ever without a deadline", () => {
    const { operator, counts, clock } = operatorOf({ "errors.retry.timeout": "-1" });
    const attempts = operator.begin();
    clock.ms = 1e15;
    assert.deepEqual(operator.failed(busy, attempts), { at: "retry", afterMs: 300 });
    assert.deepEqual(operator.failed(busy, attempts), { at: "retry", afterMs: 600 });
    assert.equal(counts.totalRetries, 2);
  });

  it("tries nothing again by default", () => {
    const { operator, counts } = operatorOf({ "errors.tolerance": "all" });
    assert.deepEqual(operator.failed(busy, operator.begin()), { at: "left-out" });
    assert.equal(counts.totalRetries, 0);
  });
});
