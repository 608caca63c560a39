import assert from "node:assert/strict";
import { test } from "node:test";
import { Decimal, Double, type Schema, schema } from "@bulkhead/sdk";
import { javaText, looseText } from "./java-text.ts";

const row = schema.struct({
  a: schema.int32(),
  b: schema.string({ optional: true }),
  c: schema.map(schema.string(), schema.int8()),
});

const typed: { name: string; value: unknown; schema: Schema; text: string }[] = [
  {
    name: "a struct",
    value: { a: 1, b: "x y", c: new Map([["k", 2]]) },
    schema: row,
    text: "Struct{a=1,b=x y,c={k=2}}",
  },
  {
    name: "a struct without its nulls",
    value: { a: 1, b: null, c: new Map() },
    schema: row,
    text: "Struct{a=1,c={}}",
  },
  { name: "a list", value: [1n, 2n], schema: schema.array(schema.int64()), text: "[1, 2]" },
  { name: "a double", value: 1, schema: schema.double(), text: "1.0" },
  { name: "a float", value: Math.fround(0.1), schema: schema.float(), text: "0.1" },
  { name: "a decimal", value: new Decimal(-5n, 2), schema: schema.decimal(2), text: "-0.05" },
  {
    name: "a date",
    value: new Date(0),
    schema: schema.timestamp(),
    text: "Thu Jan 01 00:00:00 UTC 1970",
  },
  { name: "null", value: null, schema: schema.string({ optional: true }), text: "null" },
];

for (const one of typed) {
  test(`${one.name} is written as Java writes it`, () => {
    assert.equal(javaText(one.value, one.schema), one.text);
  });
}

test("data without a schema is written as Java writes it", () => {
  const value = new Map<string, unknown>([
    ["a", 1],
    ["b", [new Double(1), null, "x", true]],
  ]);
  assert.equal(looseText(value), "{a=1, b=[1.0, null, x, true]}");
});
