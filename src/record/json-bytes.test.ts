import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteScratch } from "./byte-scratch.ts";
import { writeJsonString } from "./canonical-json.ts";
import { appendBase64, appendJsonString } from "./json-bytes.ts";

const pieces = [
  "",
  "a",
  '"',
  "\\",
  "\n",
  "\u0000",
  "\u007f",
  "é",
  "€",
  "😀",
  "x".repeat(7),
  "y".repeat(90),
];

test("a string from bytes is the string from text", () => {
  for (const first of pieces) {
    for (const second of pieces) {
      const text = `${first}${second}${first}`;
      const arena = Buffer.from(`"${text}"`);
      const out = new ByteScratch();
      appendJsonString(out, arena, 1, arena.length - 1);
      assert.equal(Buffer.from(out.taken()).toString(), writeJsonString(text));
    }
  }
});

test("text that is not UTF-8 is refused", () => {
  const arena = Uint8Array.from([0x61, 0xc3, 0x22]);
  assert.throws(() => appendJsonString(new ByteScratch(), arena, 0, 2), /not valid UTF-8/);
});

test("base64 of every length is what Node makes of it", () => {
  const arena = Buffer.from(Array.from({ length: 200 }, (_, index) => (index * 37) & 255));
  for (let length = 0; length < 150; length += 1) {
    const out = new ByteScratch();
    appendBase64(out, arena, 3, 3 + length);
    const expected = arena.subarray(3, 3 + length).toString("base64");
    assert.equal(Buffer.from(out.taken()).toString(), expected);
  }
});
