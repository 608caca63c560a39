import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordError } from "../base/error.ts";
import { parseExactJson, parseFirstJson } from "./exact-json.ts";
import { Floating, type JsonValue } from "./value.ts";

const readable: { name: string; text: string; value: JsonValue }[] = [
  { name: "the largest int64", text: "9223372036854775807", value: 9223372036854775807n },
  { name: "an integer beyond int64", text: "-18446744073709551616", value: -(1n << 64n) },
  { name: "the largest exact double is a number", text: "9007199254740991", value: 2 ** 53 - 1 },
  { name: "leading zeros are fine", text: "007", value: 7 },
  { name: "a point makes it floating", text: "1.0", value: new Floating("1.0") },
  { name: "so does an exponent", text: "1e400", value: new Floating("1e400") },
  { name: "escapes", text: '"a\\u00e9\\n\\/\\ud83d\\ude00\\ud800"', value: "aé\n/😀\ud800" },
  { name: "blanks", text: " [ 1 , { } , [ ] ]\n", value: [1, new Map(), []] },
  {
    name: "members keep their order, the last of equal names wins",
    text: '{"z":1,"1":2,"z":3}',
    value: new Map([
      ["z", 3],
      ["1", 2],
    ]),
  },
];

for (const { name, text, value } of readable) {
  test(`reads ${name}`, () => assert.deepEqual(parseExactJson(text), value));
}

test("a double that JSON.parse would round keeps its digits", () => {
  const value = parseExactJson("0.1234567890123456789012345");
  assert.ok(value instanceof Floating);
  assert.equal(value.text, "0.1234567890123456789012345");
});

const malformed = [
  "",
  "[1,]",
  "{,}",
  '{"a" 1}',
  "{'a':1}",
  '"a',
  '"\u0001"',
  '"\\x"',
  '"\\u12g4"',
  "+1",
  ".5",
  "1.",
  "1e",
  "-",
  "NaN",
  "nul",
  "truex",
  "1x",
  "[1",
  "/**/1",
  "[1 2]",
  '{"a":1,}',
  "1 2",
  "[".repeat(1_001),
  "1".repeat(1_001),
];

for (const text of malformed) {
  test(`refuses ${JSON.stringify(text.slice(0, 20))}`, () => {
    assert.throws(
      () => parseExactJson(text),
      (error) => error instanceof RecordError && error.code === "record.json_malformed",
    );
  });
}

test("the first value ends before whatever follows it", () => {
  assert.deepEqual(parseFirstJson('{"a":1} x'), new Map([["a", 1]]));
  assert.equal(parseFirstJson("1 x"), 1);
  assert.equal(parseFirstJson(" \n"), undefined);
});
