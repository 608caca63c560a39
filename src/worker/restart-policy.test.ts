import assert from "node:assert/strict";
import { test } from "node:test";
import { Restarts, restartBounds, restartPolicy } from "./restart-policy.ts";

const policies: { own?: string; worker: "none" | "on-failure"; expect: string }[] = [
  { worker: "none", expect: "none" },
  { worker: "on-failure", expect: "on-failure" },
  { own: "on-failure", worker: "none", expect: "on-failure" },
  { own: "none", worker: "on-failure", expect: "none" },
  { own: "sometimes", worker: "on-failure", expect: "on-failure" },
];

for (const { own, worker, expect } of policies) {
  test(`restart.policy=${own ?? "(not set)"} on a worker with ${worker} is ${expect}`, () => {
    const config: Record<string, string> = own === undefined ? {} : { "restart.policy": own };
    assert.equal(restartPolicy(config, worker, restartBounds).at, expect);
  });
}

const policy = { at: "on-failure", ...restartBounds } as const;

/** What follows when it fails at each of these times, having run for so long each time. */
function outcomes(restarts: Restarts, times: readonly number[], ranMs = 0): unknown[] {
  return times.map((atMs) => {
    const next = restarts.failed(atMs, ranMs);
    return next.at === "again" ? next.delayMs : next.at;
  });
}

test("delays double to a minute and begin again after ten minutes that went well", () => {
  const restarts = new Restarts(policy, () => 0);
  assert.deepEqual(
    outcomes(restarts, [0, 1, 2, 3, 4, 5, 6, 7], 599_999),
    [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000],
  );
  assert.deepEqual(outcomes(restarts, [8], 600_000), [1_000]);
});

test("delays are jittered downwards", () => {
  assert.deepEqual(outcomes(new Restarts(policy, () => 0.5), [0]), [900]);
});

test("without a policy, or without attempts, there is no next start", () => {
  assert.deepEqual(outcomes(new Restarts({ at: "none" }), [0]), ["never"]);
  assert.deepEqual(outcomes(new Restarts({ ...policy, attemptsMax: 0 }), [0]), ["never"]);
});

test("one failure more than restarts are allowed within the window is the last", () => {
  const restarts = new Restarts({ ...policy, attemptsMax: 2, windowMs: 90_000 }, () => 0);
  assert.deepEqual(outcomes(restarts, [0, 1_000]), [1_000, 2_000]);
  const why = "failed 3 times within 90 s and was given up";
  assert.deepEqual(restarts.failed(89_999, 0), { at: "given-up", why });
});

test("failures older than the window do not count", () => {
  const restarts = new Restarts({ ...policy, attemptsMax: 2, windowMs: 90_000 }, () => 0);
  assert.deepEqual(outcomes(restarts, [0, 60_000, 90_000]), [1_000, 2_000, 4_000]);
  assert.deepEqual(outcomes(restarts, [149_999]), ["given-up"]);
});

test("a run that went well for long enough gives the whole budget back", () => {
  const bounds = { attemptsMax: 1, windowMs: 90_000, resetMs: 5_000 };
  const restarts = new Restarts({ ...policy, ...bounds }, () => 0);
  assert.deepEqual(outcomes(restarts, [0, 6_000], 5_000), [1_000, 1_000]);
  assert.deepEqual(outcomes(restarts, [7_000], 4_999), ["given-up"]);
});

test("-1 attempts are no limit", () => {
  const restarts = new Restarts({ ...policy, attemptsMax: -1 }, () => 0);
  const times = Array.from({ length: 1_000 }, (_, i) => i);
  assert.ok(!outcomes(restarts, times).includes("given-up"));
});
