import assert from "node:assert/strict";
import { test } from "node:test";
import { LineSplitter } from "./line-splitter.ts";

type Line = [text: string, position: number];

function take(splitter: LineSplitter): Line[] {
  const lines: Line[] = [];
  for (let line = splitter.next(); line !== undefined; line = splitter.next()) {
    lines.push([line, splitter.position]);
  }
  return lines;
}

const cases: { name: string; chunks: string[]; lines: Line[]; rest: number }[] = [
  {
    name: "\\n",
    chunks: ["a\nbc\n"],
    lines: [
      ["a", 2],
      ["bc", 5],
    ],
    rest: 0,
  },
  {
    name: "\\r\\n",
    chunks: ["a\r\nb\r\n"],
    lines: [
      ["a", 3],
      ["b", 6],
    ],
    rest: 0,
  },
  {
    name: "\\r within",
    chunks: ["a\rb\n"],
    lines: [
      ["a", 2],
      ["b", 4],
    ],
    rest: 0,
  },
  { name: "\\r at the end may be half of \\r\\n", chunks: ["a\r"], lines: [], rest: 2 },
  {
    name: "\\r\\n in two chunks is one end",
    chunks: ["a\r", "\nb\n"],
    lines: [
      ["a", 3],
      ["b", 5],
    ],
    rest: 0,
  },
  { name: "\\r and more in two chunks", chunks: ["a\r", "b"], lines: [["a", 2]], rest: 1 },
  {
    name: "empty lines",
    chunks: ["\n\r\n\n"],
    lines: [
      ["", 1],
      ["", 3],
      ["", 4],
    ],
    rest: 0,
  },
  { name: "a line in pieces", chunks: ["a", "b", "", "c\nd"], lines: [["abc", 4]], rest: 1 },
  {
    name: "positions are bytes",
    chunks: ["ä€😀\nx\n"],
    lines: [
      ["ä€😀", 10],
      ["x", 12],
    ],
    rest: 0,
  },
  { name: "nothing", chunks: [], lines: [], rest: 0 },
];

for (const one of cases) {
  test(`lines end with ${one.name}`, () => {
    const splitter = new LineSplitter(0);
    const lines: Line[] = [];
    for (const chunk of one.chunks) {
      splitter.push(Buffer.from(chunk));
      lines.push(...take(splitter));
    }
    assert.deepEqual(lines, one.lines);
    assert.equal(splitter.restBytes, one.rest);
  });
}

test("however a text is cut into chunks, lines and positions are the same", () => {
  const bytes = Buffer.from("one\r\ntwo\rthree\n\n\rfür 😀\r\n\r\nend\n");
  const whole = new LineSplitter(100);
  whole.push(bytes);
  const expected = take(whole);
  assert.equal(expected.length, 8);
  for (let size = 1; size <= bytes.length; size += 1) {
    const splitter = new LineSplitter(100);
    const lines: Line[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      splitter.push(bytes.subarray(at, at + size));
      lines.push(...take(splitter));
    }
    assert.deepEqual(lines, expected, `chunks of ${size}`);
  }
});

test("bytes that are not UTF-8 become replacement characters and keep their place", () => {
  const splitter = new LineSplitter(0);
  splitter.push(Buffer.from([0xff, 0x61, 0x0a, 0x62, 0x0a]));
  assert.deepEqual(take(splitter), [
    ["\ufffda", 3],
    ["b", 5],
  ]);
});
