import assert from "node:assert/strict";
import { test } from "node:test";
import { Double, jsonWriter, writeJson } from "./canonical-json.ts";
import { Decimal } from "./decimal.ts";
import { DataError } from "./plugin-error.ts";
import { type Schema, schema } from "./schema.ts";

const row = schema.struct({
  a: schema.int32(),
  b: schema.string({ optional: true }),
  c: schema.double({ default: 1.5 }),
});

const typed: { name: string; schema: Schema; value: unknown; text: string }[] = [
  { name: "int8", schema: schema.int8(), value: -128, text: "-128" },
  {
    name: "an int64 beyond 2^53",
    schema: schema.int64(),
    value: 2n ** 63n - 1n,
    text: "9223372036854775807",
  },
  { name: "an int64 as number", schema: schema.int64(), value: -1, text: "-1" },
  { name: "a whole float", schema: schema.float(), value: 1, text: "1.0" },
  {
    name: "a float is shortest at 32 bits",
    schema: schema.float(),
    value: Math.fround(0.1),
    text: "0.1",
  },
  { name: "a large float", schema: schema.float(), value: 16777216, text: "1.6777216E7" },
  { name: "float infinity", schema: schema.float(), value: -Infinity, text: '"-Infinity"' },
  { name: "a whole double", schema: schema.double(), value: 1234567, text: "1234567.0" },
  { name: "1e10", schema: schema.double(), value: 1e10, text: "1.0E10" },
  { name: "1e16", schema: schema.double(), value: 1e16, text: "1.0E16" },
  { name: "0.001", schema: schema.double(), value: 0.001, text: "0.001" },
  { name: "0.0001", schema: schema.double(), value: 0.0001, text: "1.0E-4" },
  {
    name: "the largest double",
    schema: schema.double(),
    value: Number.MAX_VALUE,
    text: "1.7976931348623157E308",
  },
  { name: "123456789.123", schema: schema.double(), value: 123456789.123, text: "1.23456789123E8" },
  { name: "minus zero", schema: schema.double(), value: -0, text: "-0.0" },
  { name: "NaN", schema: schema.double(), value: Number.NaN, text: '"NaN"' },
  { name: "boolean", schema: schema.boolean(), value: true, text: "true" },
  {
    name: "control characters",
    schema: schema.string(),
    value: "\0\u0001\u001f\u007f\u0080",
    text: '"\\u0000\\u0001\\u001F\u007f\u0080"',
  },
  {
    name: "short escapes",
    schema: schema.string(),
    value: '"\\\b\f\n\r\t/',
    text: '"\\"\\\\\\b\\f\\n\\r\\t/"',
  },
  {
    name: "characters of the BMP",
    schema: schema.string(),
    value: "äß€\u2028",
    text: '"äß€\u2028"',
  },
  {
    name: "characters beyond the BMP",
    schema: schema.string(),
    value: "😀",
    text: '"\\uD83D\\uDE00"',
  },
  { name: "a lone surrogate", schema: schema.string(), value: "a\ud800b", text: '"a\\uD800b"' },
  { name: "bytes", schema: schema.bytes(), value: Buffer.from("ab"), text: '"YWI="' },
  { name: "null", schema: schema.int64({ optional: true }), value: null, text: "null" },
  {
    name: "a struct in schema order",
    schema: row,
    value: { c: 2, b: "x", a: 1 },
    text: '{"a":1,"b":"x","c":2.0}',
  },
  {
    name: "a struct's nulls stay nulls",
    schema: row,
    value: { a: 1 },
    text: '{"a":1,"b":null,"c":null}',
  },
  { name: "an empty struct", schema: schema.struct({}), value: {}, text: "{}" },
  { name: "an empty array", schema: schema.array(schema.string()), value: [], text: "[]" },
  { name: "an array", schema: schema.array(schema.int8()), value: [1, 2], text: "[1,2]" },
  {
    name: "a map with text keys",
    schema: schema.map(schema.string(), schema.int8()),
    value: new Map([
      ["z", 1],
      ["1", 2],
    ]),
    text: '{"z":1,"1":2}',
  },
  {
    name: "a map with other keys",
    schema: schema.map(schema.int8(), schema.int8()),
    value: new Map([[1, 2]]),
    text: "[[1,2]]",
  },
  { name: "Date", schema: schema.date(), value: new Date("1970-01-03"), text: "2" },
  { name: "Time", schema: schema.time(), value: new Date(1_000), text: "1000" },
  {
    name: "Timestamp",
    schema: schema.timestamp(),
    value: new Date(1_700_000_000_000),
    text: "1700000000000",
  },
  { name: "Decimal", schema: schema.decimal(2), value: new Decimal(12345n, 2), text: '"MDk="' },
  { name: "a Decimal as text", schema: schema.decimal(2), value: "-1.29", text: '"/38="' },
  {
    name: "a large Decimal",
    schema: schema.decimal(10),
    value: new Decimal(10n ** 30n, 10),
    text: '"DJ8snNBGdO3qQAAAAA=="',
  },
];

for (const one of typed) {
  test(`with a schema: ${one.name}`, () => {
    assert.equal(jsonWriter(one.schema)(one.value), one.text);
  });
}

const plain: { name: string; value: unknown; text: string }[] = [
  { name: "a whole number is an integer", value: 1, text: "1" },
  { name: "a Double is not", value: new Double(1), text: "1.0" },
  { name: "a fraction", value: 0.5, text: "0.5" },
  { name: "minus zero is a float", value: -0, text: "-0.0" },
  { name: "a number beyond 2^53 is a float", value: 1e30, text: "1.0E30" },
  { name: "NaN", value: Number.NaN, text: '"NaN"' },
  { name: "bigint", value: 9007199254740993n, text: "9007199254740993" },
  {
    name: "nested",
    value: { b: 1, a: null, c: { d: [true] } },
    text: '{"b":1,"a":null,"c":{"d":[true]}}',
  },
  { name: "undefined members are left out", value: { a: undefined, b: 2 }, text: '{"b":2}' },
  {
    name: "a Map keeps its order",
    value: new Map([
      ["2", 1],
      ["1", 2],
    ]),
    text: '{"2":1,"1":2}',
  },
  { name: "bytes", value: new Uint8Array([1, 2]), text: '"AQI="' },
  { name: "an empty object", value: {}, text: "{}" },
  { name: "escapes in names", value: { 'ü "q"': 3 }, text: '{"ü \\"q\\"":3}' },
];

for (const one of plain) {
  test(`without schema: ${one.name}`, () => assert.equal(writeJson(one.value), one.text));
}

const misfits: { name: string; schema: Schema; value: unknown; says: RegExp }[] = [
  {
    name: "a text as int",
    schema: schema.int32(),
    value: "5",
    says: /5 \(string\) cannot be written at "value" as int32/,
  },
  { name: "an int8 out of range", schema: schema.int8(), value: 128, says: /as int8/ },
  { name: "an unsafe number as int64", schema: schema.int64(), value: 2 ** 60, says: /as int64/ },
  {
    name: "null in a required field",
    schema: row,
    value: { a: null },
    says: /null used for required field: "a", schema type: INT32/,
  },
  {
    name: "a time of day as Date",
    schema: schema.date(),
    value: new Date(1),
    says: /connect\.data\.Date/,
  },
  {
    name: "a Decimal with more digits",
    schema: schema.decimal(1),
    value: "1.23",
    says: /as bytes/,
  },
];

for (const one of misfits) {
  test(`${one.name} is refused`, () => {
    assert.throws(
      () => jsonWriter(one.schema)(one.value),
      (error) => {
        assert.ok(error instanceof DataError);
        assert.match(error.message, one.says);
        return true;
      },
    );
  });
}
