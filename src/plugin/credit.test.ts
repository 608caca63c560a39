import assert from "node:assert/strict";
import { test } from "node:test";
import { Credit } from "./credit.ts";

for (const { name, records, bytes, expect } of [
  { name: "nothing", records: 0, bytes: 0, expect: false },
  { name: "records only", records: 1, bytes: 0, expect: false },
  { name: "bytes only", records: 0, bytes: 1, expect: false },
  { name: "a little of both", records: 1, bytes: 1, expect: true },
]) {
  test(`with ${name} sending is ${expect ? "" : "not "}allowed`, () => {
    const credit = new Credit();
    credit.add(records, bytes);
    assert.equal(credit.open, expect);
  });
}

test("I5: one batch may overdraw, the next one is refused until the debt is paid", () => {
  const credit = new Credit();
  credit.add(1, 1);
  credit.receive(500, 1_000_000);
  assert.deepEqual([credit.records, credit.bytes], [-499, -999_999]);
  const refused = { code: "plugin.protocol_error", message: /without credit \(left: -499 records/ };
  assert.throws(() => credit.receive(1, 1), refused);
  credit.add(499, 999_999);
  assert.equal(credit.open, false);
  credit.add(1, 1);
  credit.receive(1, 1);
});

test("a receiver that gives back exactly what came never runs dry nor drifts", () => {
  const credit = new Credit();
  credit.add(100, 10_000);
  let state = 9;
  for (let step = 0; step < 1_000; step += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const records = 1 + (state % 300);
    credit.receive(records, records * 50);
    credit.add(records, records * 50);
  }
  assert.deepEqual([credit.records, credit.bytes], [100, 10_000]);
});
