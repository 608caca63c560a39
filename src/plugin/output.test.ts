import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../base/clock.ts";
import { LineReader, printable } from "./line-reader.ts";
import { LineBudget } from "./output.ts";

for (const { name, chunks, expect } of [
  { name: "one chunk of two lines", chunks: ["a\nb\n"], expect: ["a", "b"] },
  { name: "a line in three chunks", chunks: ["a", "b", "c\n"], expect: ["abc"] },
  { name: "a last line without an end", chunks: ["a\nb"], expect: ["a", "b"] },
  { name: "an empty line", chunks: ["\n\n"], expect: ["", ""] },
  { name: "Windows line ends", chunks: ["a\r\nb\r", "\n"], expect: ["a", "b"] },
  {
    name: "a line over the bound",
    chunks: ["12345678", "9", "0\nz\n"],
    expect: ["12345678 … (2 more bytes)", "z"],
  },
  { name: "a line exactly at the bound", chunks: ["12345678\n"], expect: ["12345678"] },
]) {
  test(`${name} gives ${expect.length} lines`, () => {
    const lines: string[] = [];
    const reader = new LineReader(8, (line) => lines.push(line));
    for (const chunk of chunks) reader.push(Buffer.from(chunk));
    reader.end();
    assert.deepEqual(lines, expect);
  });
}

test("control characters become text, tabs and other scripts stay", () => {
  assert.equal(printable("a\tä\u001b[2J\rx\u2028"), "a\tä\\u001b[2J\\u000dx\\u2028");
});

test("I5: a flood passes by its rate, and what was dropped is counted once", () => {
  let nowMs = 0;
  const clock = { elapsedMs: () => nowMs } as Clock;
  const budget = new LineBudget(clock, 1_000, 20);
  const passed = (lines: number) =>
    Array.from({ length: lines }, () => budget.take()).filter(Boolean).length;
  assert.equal(passed(100), 20);
  assert.equal(budget.takeDropped(), 80);
  assert.equal(budget.takeDropped(), 0);
  nowMs = 5;
  assert.equal(passed(100), 5);
  nowMs = 60_000;
  assert.equal(passed(100), 20);
});
