import assert from "node:assert/strict";
import { test } from "node:test";
import { LineCutter } from "./line-cutter.ts";

function cut(bytes: Buffer, size: number, bytesMax: number): string[] {
  const cutter = new LineCutter(bytesMax);
  const seen: string[] = [];
  const take = (line: ReturnType<LineCutter["next"]>) => {
    if (line === undefined) return false;
    seen.push(line.at === "line" ? line.bytes.toString() : `too long: ${line.start.toString()}`);
    return true;
  };
  for (let at = 0; at < bytes.length; at += size) {
    cutter.push(bytes.subarray(at, at + size));
    while (take(cutter.next()));
  }
  take(cutter.end());
  return seen;
}

test("lines are the same however the bytes are cut, and one without an end is the last", () => {
  const bytes = Buffer.from("one\ntwo\r\n\nfür 😀\n\r\na\rb\nlast");
  const expected = ["one", "two", "", "für 😀", "", "a\rb", "last"];
  for (let size = 1; size <= bytes.length; size += 1) {
    assert.deepEqual(cut(bytes, size, 100), expected, `chunks of ${size}`);
  }
});

test("a line over the limit is told once with its start, and the next one is whole again", () => {
  const bytes = Buffer.from("12345\n123456\n1234567890123\n12345\r\nend");
  for (let size = 1; size <= bytes.length; size += 1) {
    const seen = cut(bytes, size, 5);
    assert.deepEqual(
      seen.map((line) => line.replace(/(?<=too long: 12345).*/, "")),
      ["12345", "too long: 12345", "too long: 12345", "12345", "end"],
      `chunks of ${size}`,
    );
  }
});

test("a line that never ends is not kept", () => {
  const cutter = new LineCutter(1_000);
  let told = 0;
  for (let n = 0; n < 10_000; n += 1) {
    cutter.push(Buffer.alloc(1_000, "x"));
    for (let line = cutter.next(); line !== undefined; line = cutter.next()) {
      told += 1;
      assert.equal(line.at, "too-long");
    }
  }
  assert.equal(told, 1);
  assert.equal(cutter.end(), undefined);
});
