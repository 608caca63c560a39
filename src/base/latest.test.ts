import assert from "node:assert/strict";
import { test } from "node:test";
import { Latest } from "./latest.ts";

test("only the newest value is seen", async () => {
  const slot = new Latest<number>();
  slot.set(1);
  slot.set(2);
  assert.equal(await slot.take(), 2);
});

test("a value set while nobody waits is not lost", async () => {
  const slot = new Latest<true>();
  slot.set(true);
  assert.equal(await slot.take(), true);
  const waiting = slot.take();
  slot.set(true);
  assert.equal(await waiting, true);
});

test("taking ends empty-handed when the signal fires", async () => {
  const slot = new Latest<number>();
  const stop = new AbortController();
  const waiting = slot.take(stop.signal);
  stop.abort();
  assert.equal(await waiting, undefined);
  slot.set(3);
  assert.equal(await slot.take(), 3, "and leaves the slot usable");
});
