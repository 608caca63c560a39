import assert from "node:assert/strict";
import { test } from "node:test";
import { meetsWish, parseVersionWish } from "./version-range.ts";

const cases: { wish: string | null; meets: string[]; misses: string[] }[] = [
  { wish: null, meets: ["0.1.0"], misses: [] },
  { wish: "latest", meets: ["0.1.0"], misses: [] },
  { wish: "", meets: ["0.1.0"], misses: [] },
  { wish: "1.2", meets: ["1.2", "1.2.0"], misses: ["1.2.1", "1.1"] },
  { wish: "[1.0,2.0)", meets: ["1.0", "1.9.9"], misses: ["0.9", "2.0"] },
  { wish: "(1.0,]", meets: ["1.0.1", "3"], misses: ["1.0"] },
  { wish: "[1.2]", meets: ["1.2"], misses: ["1.3"] },
  { wish: "[1.0,2.0)", meets: ["2.0-rc1"], misses: ["1.0-rc1"] },
];

for (const { wish, meets, misses } of cases) {
  test(`the wish ${wish} is met by ${meets} and not by ${misses}`, () => {
    const parsed = parseVersionWish(wish);
    for (const version of meets) assert.equal(meetsWish(version, parsed), true, version);
    for (const version of misses) assert.equal(meetsWish(version, parsed), false, version);
  });
}

test("a range without an end is malformed", () => {
  assert.deepEqual(parseVersionWish("[x"), { at: "malformed", reason: "Unbounded range: [x" });
});
