import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogRing } from "./log-ring.ts";
import { LogRings } from "./log-rings.ts";

function texts(ring: LogRing): string[] {
  const found: string[] = [];
  for (let seq = ring.oldestSeq; seq < ring.nextSeq; seq += 1) {
    found.push(ring.line(seq)?.text ?? "missing");
  }
  return found;
}

test("I5: a ring keeps so many lines, and so many characters", () => {
  const rings = new LogRings({ linesMax: 3, charsMax: 10 });
  for (const text of ["1", "2", "3", "4"]) rings.take("a", 30, text);
  assert.deepEqual(texts(rings.of("a")), ["2", "3", "4"]);
  rings.take("a", 30, "123456789");
  assert.deepEqual(texts(rings.of("a")), ["4", "123456789"]);
  // One line that is too long for all of it is kept all the same: it is the newest.
  rings.take("a", 30, "x".repeat(20));
  assert.deepEqual(texts(rings.of("a")), ["x".repeat(20)]);
  assert.equal(rings.of("a").nextSeq, 7);
  assert.equal(rings.of("a").line(6)?.severity, 30);
  assert.equal(rings.of("a").line(5), undefined);
  assert.equal(rings.of("a").line(7), undefined);
});

test("I5: all rings together have a bound, and who says most loses most", () => {
  const rings = new LogRings({ totalCharsMax: 1_000 });
  rings.take("quiet", 30, "one line");
  for (let n = 0; n < 1_000; n += 1) rings.take("loud", 30, "x".repeat(100));
  assert.deepEqual(texts(rings.of("quiet")), ["one line"]);
  const left = texts(rings.of("loud")).length;
  assert.ok(left >= 4 && left <= 10, `${left} lines`);
});

test("I5: there are so many rings, and a silent one that nobody follows goes first", () => {
  let now = 0;
  const clock = { nowMs: () => ++now, elapsedMs: () => now, sleep: async () => {} };
  const rings = new LogRings({ connectorsMax: 3 }, clock);
  for (const connector of ["followed", "silent", "busy"]) rings.take(connector, 30, "1");
  const followed = rings.of("followed");
  const silent = rings.of("silent");
  followed.onNext(() => {});
  rings.take("fourth", 30, "1");
  assert.equal(silent.ended, true);
  assert.equal(followed.ended, false);
  assert.equal(rings.of("followed"), followed);
  assert.deepEqual(texts(rings.of("busy")), ["1"]);
});

test("a ring of a connector that is no more ends, and a new one of its name begins anew", () => {
  const rings = new LogRings();
  rings.take("a", 30, "1");
  rings.take("b", 30, "1");
  const [a, b] = [rings.of("a"), rings.of("b")];
  let woken = 0;
  a.onNext(() => {
    woken += 1;
  });
  rings.keepOnly((name) => name === "b");
  assert.deepEqual([a.ended, b.ended, woken], [true, false, 1]);
  assert.deepEqual(texts(rings.of("a")), []);
  assert.notEqual(rings.of("a").id, a.id);
});

test("whoever waits is called once, unless it took that back", () => {
  const rings = new LogRings();
  const ring = rings.of("a");
  const heard: string[] = [];
  ring.onNext(() => heard.push("kept"));
  ring.onNext(() => heard.push("taken back"))();
  rings.take("a", 30, "1");
  rings.take("a", 30, "2");
  assert.deepEqual(heard, ["kept"]);
});
