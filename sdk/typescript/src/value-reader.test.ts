import assert from "node:assert/strict";
import { test } from "node:test";
import { Double } from "./canonical-json.ts";
import { Decimal } from "./decimal.ts";
import { readExact } from "./exact-json.ts";
import { type Schema, schema } from "./schema.ts";
import { readValue } from "./value-reader.ts";

const cases: { name: string; text: string; schema: Schema | null; value: unknown }[] = [
  { name: "int64 is a bigint", text: "7", schema: schema.int64(), value: 7n },
  {
    name: "a large int64 is exact",
    text: "9223372036854775807",
    schema: schema.int64(),
    value: 9223372036854775807n,
  },
  { name: "double from NaN", text: '"NaN"', schema: schema.double(), value: Number.NaN },
  { name: "bytes", text: '"YWI="', schema: schema.bytes(), value: Buffer.from("ab") },
  { name: "Decimal", text: '"/38="', schema: schema.decimal(2), value: new Decimal(-129n, 2) },
  { name: "Date", text: "2", schema: schema.date(), value: new Date("1970-01-03") },
  {
    name: "Timestamp",
    text: "1700000000000",
    schema: schema.timestamp(),
    value: new Date(1_700_000_000_000),
  },
  {
    name: "map",
    text: '{"a":1}',
    schema: schema.map(schema.string(), schema.int8()),
    value: new Map([["a", 1]]),
  },
  {
    name: "map with other keys",
    text: "[[1,2]]",
    schema: schema.map(schema.int8(), schema.int64()),
    value: new Map([[1, 2n]]),
  },
  {
    name: "struct",
    text: '{"a":1,"b":null}',
    schema: schema.struct({ a: schema.int64(), b: schema.string({ optional: true }) }),
    value: { a: 1n, b: null },
  },
  {
    name: "struct with a large number",
    text: '{"a":9007199254740993}',
    schema: schema.struct({ a: schema.int64() }),
    value: { a: 9007199254740993n },
  },
  {
    name: "plain data",
    text: '{"a":[1,1.5,"x",null]}',
    schema: null,
    value: { a: [1, 1.5, "x", null] },
  },
  {
    name: "a large integer in plain data",
    text: '{"a":9007199254740993}',
    schema: null,
    value: { a: 9007199254740993n },
  },
  {
    name: "1.0 in plain data is a number",
    text: "[1.0,12345678901234567]",
    schema: null,
    value: [1, 12345678901234567n],
  },
];

for (const one of cases) {
  test(`a sink sees: ${one.name}`, () => {
    assert.deepEqual(readValue(one.text, one.schema), one.value);
  });
}

test("an exact reading tells floats from integers and keeps the order of members", () => {
  assert.deepEqual(
    readExact(' {"2": 1.0, "1": [1, -2e3, 9007199254740993], "x": "\\u00e4\\n"} '),
    new Map<string, unknown>([
      ["2", new Double(1)],
      ["1", [1, new Double(-2000), 9007199254740993n]],
      ["x", "ä\n"],
    ]),
  );
});

for (const text of [
  "",
  "{",
  "[1,]",
  "[1 2]",
  '{"a"}',
  '{"a":}',
  '"\n"',
  "tru",
  "01",
  "1.",
  "1 1",
  '"\\x"',
]) {
  test(`${JSON.stringify(text)} is not JSON`, () =>
    assert.throws(() => readExact(text), /not JSON/));
}
