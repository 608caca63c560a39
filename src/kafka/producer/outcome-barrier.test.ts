/** Flushes wait for what was there, and for nothing that came later. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { OutcomeBarrier } from "./outcome-barrier.ts";

async function isDone(promise: Promise<void>): Promise<boolean> {
  return Promise.race([
    promise.then(() => true),
    new Promise<false>((no) => setImmediate(no, false)),
  ]);
}

test("a flush waits for what entered before it, in any order of leaving", async () => {
  const barrier = new OutcomeBarrier();
  const one = barrier.enter();
  const two = barrier.enter();
  const flush = barrier.passed();
  const later = barrier.enter();
  assert.equal(barrier.isAwaited, true);
  barrier.leave(two);
  assert.equal(await isDone(flush), false);
  barrier.leave(one);
  assert.equal(await isDone(flush), true);
  assert.equal(barrier.isAwaited, false);
  const second = barrier.passed();
  assert.equal(await isDone(second), false);
  barrier.leave(later);
  assert.equal(await isDone(second), true);
  assert.equal(await isDone(barrier.passed()), true);
});

test("a part of what entered before is waited for too", async () => {
  const barrier = new OutcomeBarrier();
  const whole = barrier.enter();
  const flush = barrier.passed();
  const part = barrier.enter(whole);
  barrier.leave(whole);
  assert.equal(await isDone(flush), false);
  barrier.leave(part);
  assert.equal(await isDone(flush), true);
});

test("a later flush does not overtake an earlier one", async () => {
  const barrier = new OutcomeBarrier();
  const one = barrier.enter();
  const first = barrier.passed();
  const two = barrier.enter();
  const second = barrier.passed();
  barrier.leave(two);
  assert.deepEqual([await isDone(first), await isDone(second)], [false, false]);
  barrier.leave(one);
  assert.deepEqual([await isDone(first), await isDone(second)], [true, true]);
});
