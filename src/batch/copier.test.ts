import assert from "node:assert/strict";
import test from "node:test";
import { Copier } from "./copier.ts";

test("every size is copied, from and to any place, and nothing beside it is touched", () => {
  const copier = new Copier();
  const sources = [0, 1].map((n) =>
    Uint8Array.from({ length: 700 }, (_, at) => 1 + ((at * 7 + n) % 250)),
  );
  const views = [new Uint8Array(1_000), new Uint8Array(new ArrayBuffer(1_100), 50, 1_000)];
  for (let size = 0; size <= 600; size++) {
    for (const [n, from] of sources.entries()) {
      const to = views[(size + n) % 2]!.fill(0);
      const start = size % 13;
      const place = size % 7;
      assert.equal(copier.copy(from, start, start + size, to, place), place + size);
      const expected = new Uint8Array(1_000);
      expected.set(from.subarray(start, start + size), place);
      assert.ok(Buffer.compare(to, expected) === 0, `${size} bytes`);
    }
    if (size % 50 === 0) copier.reset();
  }
});

test("a whole array is copied at every size", () => {
  const copier = new Copier();
  for (let size = 0; size <= 300; size++) {
    const from = new Uint8Array(size).fill(7);
    const to = new Uint8Array(310);
    assert.equal(copier.copy(from, 0, size, to, 3), 3 + size);
    assert.deepEqual(to.subarray(3, 3 + size), from);
    assert.equal(to[3 + size], 0);
  }
});
