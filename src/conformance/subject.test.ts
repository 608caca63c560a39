import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSetups } from "./subject.ts";

function contentOf(content: unknown): string | undefined {
  const text = JSON.stringify({ "a.Source": { files: { "in.txt": content } } });
  return parseSetups(text, "conformance.json").get("a.Source")?.files["in.txt"];
}

const count = ["$", "{n}"].join("");
const contents: readonly (readonly [unknown, string])[] = [
  [count, count],
  [{ text: "ab", repeat: 3 }, "ababab"],
  [{ begin: "[", text: `{"id":${count}},`, repeat: 2, end: "{}]" }, '[{"id":1},{"id":2},{}]'],
  [{ text: `${count}-${count};`, repeat: 2, end: count }, `1-1;2-2;${count}`],
  [{ text: "x", repeat: 0 }, ""],
];

test("a long file is made of what repeats, with what stands before and after it", () => {
  for (const [given, content] of contents) assert.equal(contentOf(given), content);
});

test("a content that says too little is refused with what is expected", () => {
  for (const given of [1, null, { text: "x" }, { text: "x", repeat: -1 }, { text: 1, repeat: 1 }]) {
    assert.throws(() => contentOf(given), /a JSON object is expected|"repeat": a number/);
  }
  assert.throws(() => contentOf({ begin: 1, text: "x", repeat: 1 }), /"begin": a text/);
});
