import assert from "node:assert/strict";
import { test } from "node:test";
import { isJson } from "./json-text.ts";

const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;

for (const { text, expect } of [
  { text: '{"file":"a"}', expect: true },
  { text: " null ", expect: true },
  { text: "12345678901234567890.50", expect: true },
  { text: "", expect: false },
  { text: "{'a':1}", expect: false },
  { text: "1,2", expect: false },
  { text: "NaN", expect: false },
  { text: nested(100), expect: true },
  { text: nested(101), expect: false },
  { text: nested(30_000), expect: false },
  { text: `{"a":"${"x".repeat(60_000)}"}`, expect: true },
]) {
  test(`${text.slice(0, 20)} (${text.length}) is ${expect ? "" : "not "}JSON for us`, () => {
    assert.equal(isJson(text), expect);
  });
}
