import assert from "node:assert/strict";
import { test } from "node:test";
import { deferred } from "../base/deferred.ts";
import { Turns } from "./turns.ts";

const { signal } = new AbortController();

test("two at a time, the others in the order they came, also behind one that fails", async () => {
  const turns = new Turns(2);
  const ends = [0, 1, 2, 3].map(() => deferred<void>());
  const started: number[] = [];
  const results = ends.map((end, index) =>
    turns.take(signal, async () => {
      started.push(index);
      await end.promise;
      return index;
    }),
  );
  await Promise.resolve();
  assert.deepEqual(started, [0, 1]);
  ends[1]?.reject(new Error("broken"));
  await assert.rejects(results[1] as Promise<number>, /broken/);
  assert.deepEqual(started, [0, 1, 2]);
  for (const end of ends) end.resolve();
  assert.deepEqual(await Promise.all([results[0], results[2], results[3]]), [0, 2, 3]);
  assert.equal(await turns.take(signal, async () => "again"), "again");
});

test("who gives up waiting takes no turn", async () => {
  const turns = new Turns(1);
  const end = deferred<void>();
  const first = turns.take(signal, () => end.promise);
  const given = new AbortController();
  const second = turns.take(given.signal, async () => "second");
  const third = turns.take(signal, async () => "third");
  given.abort(new Error("given up"));
  await assert.rejects(second, /given up/);
  end.resolve();
  await first;
  assert.equal(await third, "third");
  await assert.rejects(
    turns.take(given.signal, async () => "late"),
    /given up/,
  );
});
