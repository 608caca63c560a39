import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "./backoff.ts";

const delays = (backoff: Backoff, count: number) =>
  Array.from({ length: count }, () => backoff.nextDelayMs());

test("delays double up to the bound", () => {
  const backoff = new Backoff({ firstMs: 100, maxMs: 1_000, jitter: 0 });
  assert.deepEqual(delays(backoff, 6), [100, 200, 400, 800, 1_000, 1_000]);
  assert.equal(backoff.tries, 6);
});

test("a reset begins again", () => {
  const backoff = new Backoff({ firstMs: 100, maxMs: 1_000, jitter: 0 });
  delays(backoff, 3);
  backoff.reset();
  assert.deepEqual(delays(backoff, 2), [100, 200]);
});

for (const c of [
  { name: "the longest", random: 0, expect: [100, 200] },
  { name: "the shortest", random: 0.999_999, expect: [50, 100] },
]) {
  test(`jitter shortens a delay by at most its share: ${c.name}`, () => {
    const options = { firstMs: 100, maxMs: 1_000, jitter: 0.5, random: () => c.random };
    assert.deepEqual(delays(new Backoff(options), 2), c.expect);
  });
}

test("a thousand tries neither overflow nor pass the bound", () => {
  const backoff = new Backoff({ firstMs: 1, maxMs: 60_000 });
  for (const delay of delays(backoff, 1_000)) assert.ok(delay > 0 && delay <= 60_000);
});
