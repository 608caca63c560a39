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

test("delays double to a minute and begin again after a minute that went well", () => {
  const restarts = new Restarts({ at: "on-failure", ...restartBounds }, () => 0);
  const delays = Array.from({ length: 8 }, () => restarts.delayMs(59_999));
  assert.deepEqual(delays, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  assert.equal(restarts.delayMs(60_000), 1_000);
});

test("delays are jittered downwards", () => {
  const restarts = new Restarts({ at: "on-failure", ...restartBounds }, () => 0.5);
  assert.equal(restarts.delayMs(0), 900);
});

test("without a policy there is no next start", () => {
  assert.equal(new Restarts({ at: "none" }).delayMs(0), undefined);
});
