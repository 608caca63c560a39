import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/harness/fake-clock.ts";
import { Liveness, type LivenessLimits, livenessLimits, type Verdict } from "./liveness.ts";

for (const { name, intervalMs, timeoutMs, expect } of [
  {
    name: "by default a heartbeat is due every 5 s, missed after 30 s and fatal after 120 s",
    intervalMs: 5_000,
    timeoutMs: 120_000,
    expect: { heartbeatMs: 5_000, stalledAfterMs: 30_000, timeoutMs: 120_000, tickMs: 1_000 },
  },
  {
    name: "a timeout of 0 never kills, and silence is shown all the same",
    intervalMs: 5_000,
    timeoutMs: 0,
    expect: { heartbeatMs: 5_000, stalledAfterMs: 30_000, timeoutMs: 0, tickMs: 1_000 },
  },
  {
    name: "a short timeout shortens the interval, so that three heartbeats fit into it",
    intervalMs: 5_000,
    timeoutMs: 600,
    expect: { heartbeatMs: 200, stalledAfterMs: 300, timeoutMs: 600, tickMs: 100 },
  },
]) {
  test(name, () => assert.deepEqual(livenessLimits(intervalMs, timeoutMs), expect));
}

/** Ticks as the host does, one after the other, and answers the last verdict. */
function tickFor(clock: FakeClock, liveness: Liveness, ms: number): Verdict {
  let verdict: Verdict = "fresh";
  for (let passedMs = 0; passedMs < ms; passedMs += liveness.limits.tickMs) {
    clock.pass(liveness.limits.tickMs);
    verdict = liveness.tick(clock.elapsedMs());
  }
  return verdict;
}

function judge(limits: LivenessLimits = livenessLimits(5_000, 120_000)) {
  const clock = new FakeClock();
  return { clock, liveness: new Liveness(limits, clock.elapsedMs()) };
}

test("a process is stalled after 30 s without a heartbeat, dead after 120 s and not before", () => {
  const { clock, liveness } = judge();
  assert.equal(tickFor(clock, liveness, 29_000), "fresh");
  assert.equal(liveness.stalled, false);
  assert.equal(tickFor(clock, liveness, 1_000), "stalled");
  assert.equal(liveness.stalled, true);
  assert.equal(tickFor(clock, liveness, 89_000), "stalled");
  assert.equal(tickFor(clock, liveness, 1_000), "dead");
  assert.equal(liveness.silentMs(clock.elapsedMs()), 120_000);
});

test("a heartbeat makes it fresh again, at once and with a whole new patience", () => {
  const { clock, liveness } = judge();
  tickFor(clock, liveness, 119_000);
  liveness.heard(clock.elapsedMs());
  assert.equal(liveness.stalled, false);
  assert.equal(liveness.silentMs(clock.elapsedMs()), 0);
  assert.equal(tickFor(clock, liveness, 29_000), "fresh");
  assert.equal(tickFor(clock, liveness, 90_000), "stalled");
  assert.equal(tickFor(clock, liveness, 1_000), "dead");
});

test("with a timeout of 0 no silence is long enough", () => {
  const { clock, liveness } = judge(livenessLimits(5_000, 0));
  assert.equal(tickFor(clock, liveness, 10 * 3_600_000), "stalled");
});

test("time in which the host stood still does not count", () => {
  const { clock, liveness } = judge();
  assert.equal(tickFor(clock, liveness, 25_000), "fresh");
  // The host is stopped for an hour; the next tick comes before anything that was sent is read.
  clock.pass(3_600_000);
  assert.equal(liveness.silentMs(clock.elapsedMs()), 26_000);
  assert.equal(liveness.tick(clock.elapsedMs()), "fresh");
  assert.equal(tickFor(clock, liveness, 3_000), "fresh");
  assert.equal(tickFor(clock, liveness, 1_000), "stalled");
});

test("a host that is always late is slower to judge, and never unjust", () => {
  const { clock, liveness } = judge();
  for (let count = 0; count < 119; count += 1) {
    clock.pass(3_000);
    assert.notEqual(liveness.tick(clock.elapsedMs()), "dead");
  }
  clock.pass(3_000);
  assert.equal(liveness.tick(clock.elapsedMs()), "dead");
});
