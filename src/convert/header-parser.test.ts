import assert from "node:assert/strict";
import { test } from "node:test";
import { plainStyle, writePayload } from "../record/canonical-json.ts";
import { parseHeader } from "./header-parser.ts";

// Beside the recorded ones in test/goldens/convert.
const cases: { text: string; type: string; value: string }[] = [
  { text: "[1,null]", type: "string", value: '"[1,null]"' },
  { text: "[null,null]", type: "array", value: "[null,null]" },
  { text: '[1,"a",2]', type: "array", value: '[1,"a",2]' },
  { text: "[[1],[2,300]]", type: "array", value: "[[1],[2,300]]" },
  { text: '[1,2.5,"x"]', type: "array", value: '[1,2.5,"x"]' },
  { text: '{"a":1 "b":2}', type: "map", value: '{"a":1,"b":2}' },
  { text: '{"a":1,"a":2}', type: "map", value: '{"a":2}' },
  { text: '["14:34:54.346Z"]', type: "array", value: "[52494346]" },
  { text: "1969-12-31", type: "int32", value: "-1" },
  { text: "1,2", type: "int8", value: "1" },
  { text: "-9223372036854775809", type: "bytes", value: '"/3//////////"' },
  { text: "1e1000000", type: "bytes", value: '"AQ=="' },
  { text: "[".repeat(10_000), type: "string", value: `"${"[".repeat(10_000)}"` },
];

for (const { text, type, value } of cases) {
  test(`${text.slice(0, 40)} is of type ${type}`, () => {
    const parsed = parseHeader(text);
    assert.ok(parsed !== null);
    assert.equal(parsed.schema.type, type);
    assert.equal(writePayload(parsed.schema, parsed.value, plainStyle), value);
  });
}
