import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestError } from "../base/error.ts";
import { type JsonValue, parseJson } from "./json-text.ts";

/** As JSON.parse would give it, numbers as `#text`. */
function plain(value: JsonValue): unknown {
  switch (value.at) {
    case "null":
      return null;
    case "boolean":
      return value.text === "true";
    case "number":
      return `#${value.text}`;
    case "string":
      return value.text;
    case "array":
      return value.items.map(plain);
    case "object":
      return Object.fromEntries([...value.members].map(([name, each]) => [name, plain(each)]));
  }
}

const good: { text: string; value: unknown }[] = [
  {
    text: ' {"a" : [1.10, -0.0 ,1E+2], "b":{}, "c":[]} ',
    value: { a: ["#1.10", "#-0.0", "#1E+2"], b: {}, c: [] },
  },
  { text: "12345678901234567890", value: "#12345678901234567890" },
  { text: '"\\u00e9\\n\\/\\"\\ud83d\\ude80é🚀"', value: 'é\n/"🚀é🚀' },
  { text: '{"a":1,"a":null}', value: { a: null } },
  { text: '{"__proto__":"x"}', value: JSON.parse('{"__proto__":"x"}') },
  { text: "[true,false,null]", value: [true, false, null] },
];

for (const { text, value } of good) {
  test(`${text} is read`, () => assert.deepEqual(plain(parseJson(text)), value));
}

const bad: { text: string; message: RegExp }[] = [
  {
    text: "{",
    message: /^Unexpected end-of-input: expected close marker for Object\n.*line: 1, column: 2]$/,
  },
  { text: "nonsense", message: /^Unrecognized token 'nonsense': was expecting \(JSON String/ },
  { text: "{} trailing", message: /^Unrecognized token 'trailing'/ },
  {
    text: '{"a":1,}',
    message: /^Unexpected character \('}' \(code 125\)\): was expecting double-quote/,
  },
  { text: "{'a':1}", message: /^Unexpected character \('''/ },
  { text: '{"a" 1}', message: /was expecting a colon/ },
  { text: "[1 2]", message: /was expecting comma to separate Array entries/ },
  { text: "[01]", message: /separating root-level values/ },
  { text: "[1.]", message: /separating root-level values/ },
  { text: "[NaN]", message: /^Unrecognized token 'NaN'/ },
  { text: '"a\nb"', message: /^Illegal unquoted character \(\(CTRL-CHAR, code 10\)\)/ },
  { text: '"\\x"', message: /^Unrecognized character escape 'x'/ },
  { text: '"\\u12g4"', message: /hex-digit/ },
  { text: '"open', message: /^Unexpected end-of-input: expected closing quote/ },
  { text: "[".repeat(600), message: /^Document nesting depth/ },
];

for (const { text, message } of bad) {
  test(`${text.slice(0, 20)} is refused with what was expected`, () => {
    assert.throws(
      () => parseJson(text),
      (error: RequestError) => {
        assert.equal(error.status, 500);
        assert.match(error.message, message);
        return true;
      },
    );
  });
}
