import assert from "node:assert/strict";
import { test } from "node:test";
import { makeFiller, type Slot } from "./filler.ts";
import { Pace } from "./pace.ts";
import { makeTexts, seededRandom } from "./texts.ts";

const slot = (): Slot => ({ topic: "t" });

for (const size of [1, 2, 17, 100, 1_000]) {
  test(`texts are words of exactly ${size} characters, the same for the same seed`, () => {
    const texts = makeTexts(50, size, seededRandom(7));
    for (const text of texts) assert.match(text, new RegExp(`^[a-z ]{${size}}$`));
    assert.deepEqual(makeTexts(50, size, seededRandom(7)), texts);
    if (size >= 17) assert.notDeepEqual(makeTexts(50, size, seededRandom(8)), texts);
  });
}

for (const format of ["bytes", "string"] as const) {
  for (const stamp of [false, true]) {
    test(`${format} values ${stamp ? "with" : "without"} stamp have exactly the size asked for`, () => {
      const fill = makeFiller({ format, size: 60, stamp, seed: 1 });
      const made = slot();
      const before = Date.now();
      for (const n of [0, 1, 5_000]) {
        fill(made, n, 0, before);
        const { value } = made;
        assert.equal(typeof value === "string", format === "string");
        const text = String(value);
        assert.equal(text.length, 60);
        assert.match(text, stamp ? /^\d{16} [a-z ]{43}$/ : /^[a-z ]{60}$/);
        if (stamp) assert.ok(Math.abs(Number(text.slice(0, 16)) / 1_000 - before) < 60_000);
      }
    });
  }
}

test("values come round robin from a pool of 1,024", () => {
  const fill = makeFiller({ format: "string", size: 50, stamp: false, seed: 1 });
  const value = (n: number) => {
    const made = slot();
    fill(made, n, 0, 0);
    return made.value;
  };
  assert.equal(value(3), value(3 + 1_024));
  assert.notEqual(value(3), value(4));
});

test("a struct is built from its number", () => {
  const fill = makeFiller({ format: "struct", size: 1, stamp: false, seed: 1 });
  const made = slot();
  fill(made, 1_031, 0, 99);
  const { name, email, note, ...rest } = made.value as Record<string, unknown>;
  assert.deepEqual(rest, { id: 1_031, ts: 99, active: false, score: 7 * 0.25 + 0.125, count: 7 });
  assert.match(String(name), /^[a-z ]{16}$/);
  assert.match(String(email), /^[a-z ]{16}$/);
  assert.equal(note, null);
  fill(made, 8, 0, 99);
  assert.match(String((made.value as Record<string, unknown>)["note"]), /^[a-z ]{40}$/);
  assert.equal(made.valueSchema?.name, "bench.Row");
});

test("a pace counts what is due from its first look", () => {
  const pace = new Pace(100);
  assert.equal(pace.due(1_000), 1);
  pace.sent(1);
  assert.equal(pace.due(1_005), 0);
  assert.equal(pace.waitMs(1_005), 5);
  assert.equal(pace.due(1_050), 5);
  pace.sent(5);
  assert.equal(pace.due(1_051), 0);
  assert.equal(new Pace(0).due(0), Number.POSITIVE_INFINITY);
});
