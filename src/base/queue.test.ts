import assert from "node:assert/strict";
import { test } from "node:test";
import { Queue } from "./queue.ts";

/** Whether a promise has settled by the end of this turn. */
async function settled(work: Promise<unknown>): Promise<boolean> {
  let done = false;
  void work.then(() => {
    done = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return done;
}

test("I5: pushing into a full queue waits until something is taken", async () => {
  const queue = new Queue<number>({ capacity: 2 });
  await queue.push(1);
  await queue.push(2);
  const third = queue.push(3);
  assert.equal(await settled(third), false);
  assert.equal(queue.size, 2, "never more than its capacity");
  assert.equal(await queue.take(), 1);
  assert.equal(await third, true);
  assert.deepEqual([await queue.take(), await queue.take()], [2, 3]);
});

test("I5: many pushers at once never exceed the capacity, and nothing is lost", async () => {
  const queue = new Queue<number>({ capacity: 3 });
  const pushes = Array.from({ length: 50 }, (_, n) => queue.push(n));
  const taken: (number | undefined)[] = [];
  for (let n = 0; n < 50; n += 1) {
    assert.ok(queue.size <= 3);
    taken.push(await queue.take());
  }
  assert.deepEqual(await Promise.all(pushes), Array(50).fill(true));
  assert.deepEqual(
    taken.toSorted((a, b) => (a ?? 0) - (b ?? 0)),
    Array.from({ length: 50 }, (_, n) => n),
  );
});

test("taking from an empty queue waits for the next push", async () => {
  const queue = new Queue<string>({ capacity: 1 });
  const taken = queue.take();
  assert.equal(await settled(taken), false);
  await queue.push("late");
  assert.equal(await taken, "late");
  assert.equal(queue.tryTake(), undefined);
});

test("closing lets the rest be taken, refuses pushers and wakes takers", async () => {
  const queue = new Queue<number>({ capacity: 1 });
  await queue.push(1);
  const waiting = queue.push(2);
  queue.close();
  assert.equal(await waiting, false);
  assert.equal(await queue.push(3), false);
  assert.equal(await queue.take(), 1);
  assert.equal(await queue.take(), undefined);
});
