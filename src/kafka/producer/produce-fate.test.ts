/** What becomes of a batch, code by code. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { brokerCodeName } from "../broker-error.ts";
import { type BatchFacts, type BatchFate, fateOf } from "./produce-fate.ts";

const facts: BatchFacts = {
  isIdempotent: true,
  recordCount: 2,
  isInDoubt: false,
  isFirst: true,
  oddAnswers: 0,
};
const again = (mayBeStored: boolean, isMapOld: boolean): BatchFate => ({
  at: "again",
  mayBeStored,
  isMapOld,
});

const cases: { code: number; facts?: Partial<BatchFacts>; expect: BatchFate }[] = [
  { code: 0, expect: { at: "stored" } },
  { code: 46, expect: { at: "stored" } },
  { code: 3, expect: again(false, true) },
  { code: 5, expect: again(false, true) },
  { code: 6, expect: again(false, true) },
  { code: 56, expect: again(false, true) },
  { code: 74, expect: again(false, true) },
  { code: 7, expect: again(true, false) },
  { code: 19, expect: again(false, false) },
  { code: 20, expect: again(true, false) },
  { code: 10, expect: { at: "split" } },
  { code: 10, facts: { recordCount: 1 }, expect: { at: "failed" } },
  { code: 18, expect: { at: "split" } },
  { code: 45, expect: { at: "refused" } },
  { code: 47, expect: { at: "refused" } },
  { code: 59, expect: { at: "refused" } },
  { code: 45, facts: { isInDoubt: true }, expect: { at: "doubtful" } },
  { code: 45, facts: { isInDoubt: true, isFirst: false }, expect: again(true, false) },
  { code: 45, facts: { isIdempotent: false }, expect: { at: "failed" } },
  { code: 90, expect: { at: "fenced" } },
  { code: -1, expect: again(true, false) },
  { code: -1, facts: { oddAnswers: 1 }, expect: { at: "failed" } },
  { code: 2, expect: again(false, false) },
  { code: 2, facts: { oddAnswers: 9 }, expect: again(false, false) },
  { code: 2, facts: { oddAnswers: 10 }, expect: { at: "failed" } },
  { code: 17, expect: { at: "failed" } },
  { code: 29, expect: { at: "failed" } },
  { code: 32, expect: { at: "failed" } },
  { code: 87, expect: { at: "failed" } },
  { code: 999, expect: { at: "failed" } },
];

for (const { code, facts: some, expect } of cases) {
  const when = some === undefined ? "" : ` with ${JSON.stringify(some)}`;
  test(`${brokerCodeName(code)}${when}: ${expect.at}`, () => {
    assert.deepEqual(fateOf(code, { ...facts, ...some }), expect);
  });
}
