import assert from "node:assert/strict";
import { test } from "node:test";
import { Decimal } from "./decimal.ts";
import { type Schema, schema } from "./schema.ts";
import { parseSchema, schemaText } from "./schema-text.ts";

const cases: { name: string; schema: Schema; text: string }[] = [
  { name: "a primitive", schema: schema.float(), text: '{"type":"float","optional":false}' },
  {
    name: "all attributes",
    schema: schema.string({
      optional: true,
      name: "n.S",
      version: 3,
      doc: "a doc",
      parameters: { b: "1", a: "zwei" },
      default: "dflt",
    }),
    text: '{"type":"string","optional":true,"name":"n.S","version":3,"doc":"a doc","parameters":{"b":"1","a":"zwei"},"default":"dflt"}',
  },
  {
    name: "version 0 and empty texts",
    schema: schema.string({ name: "", version: 0, doc: "" }),
    text: '{"type":"string","optional":false,"name":"","version":0,"doc":""}',
  },
  {
    name: "a struct",
    schema: schema.struct(
      {
        a: schema.int32(),
        b: schema.string({ optional: true }),
        c: schema.double({ default: 1.5 }),
      },
      { name: "p.T", version: 1, doc: "d" },
    ),
    text: '{"type":"struct","fields":[{"type":"int32","optional":false,"field":"a"},{"type":"string","optional":true,"field":"b"},{"type":"double","optional":false,"default":1.5,"field":"c"}],"optional":false,"name":"p.T","version":1,"doc":"d"}',
  },
  {
    name: "array and map",
    schema: schema.array(schema.map(schema.string(), schema.int8())),
    text: '{"type":"array","items":{"type":"map","keys":{"type":"string","optional":false},"values":{"type":"int8","optional":false},"optional":false},"optional":false}',
  },
  {
    name: "Decimal",
    schema: schema.decimal(2),
    text: '{"type":"bytes","optional":false,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"}}',
  },
  {
    name: "Timestamp with default",
    schema: schema.timestamp({ default: new Date(1000) }),
    text: '{"type":"int64","optional":false,"name":"org.apache.kafka.connect.data.Timestamp","version":1,"default":1000}',
  },
  {
    name: "Decimal with default",
    schema: schema.decimal(2, { default: new Decimal(12345n, 2) }),
    text: '{"type":"bytes","optional":false,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"},"default":"MDk="}',
  },
];

for (const one of cases) {
  test(`${one.name}: written as JsonConverter writes it, and read back`, () => {
    assert.equal(schemaText(one.schema), one.text);
    assert.equal(schemaText(parseSchema(one.text)), one.text);
  });
}

test("an unknown type is refused", () => {
  assert.throws(() => parseSchema('{"type":"float32"}'), /Unknown schema type: float32/);
});
