import assert from "node:assert/strict";
import { test } from "node:test";
import { JsonCheck } from "./json-check.ts";
import { parseSchemaText } from "./schema-text.ts";

const field = (type: string, name: string, more = "") =>
  `{"type":"${type}"${more},"field":"${name}"}`;
const struct = (...fields: string[]) => `{"type":"struct","fields":[${fields.join(",")}]}`;
const decimal =
  '{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"}}';

const cases: { schema: string | null; sure: string[]; doubtful: string[] }[] = [
  {
    schema: '{"type":"int8"}',
    sure: ["0", "-128", "127"],
    doubtful: ["128", "-129", "1.0", "1e0", '"1"', "null", "01", "-0", "-", " 1", "true"],
  },
  {
    schema: '{"type":"int64"}',
    sure: ["9007199254740993", "-9100000000000000000"],
    doubtful: ["9223372036854775807", "9223372036854775808", "10000000000000000000"],
  },
  {
    schema: '{"type":"double"}',
    sure: ["1", "1.5", "-0.0", "1.0E10", "1e-9"],
    doubtful: [
      "-0",
      "1e100",
      "NaN",
      '"NaN"',
      "1.",
      "1.5.5",
      "1.5.5e1",
      ".5",
      "00.1",
      "+1",
      `1${"0".repeat(30)}`,
    ],
  },
  { schema: '{"type":"float"}', sure: ["1e9"], doubtful: ["1e39"] },
  { schema: '{"type":"boolean"}', sure: ["true", "false"], doubtful: ["tru", "1", '"true"'] },
  {
    schema: '{"type":"string"}',
    sure: ['""', '"a"', '"é😀"', '"\\"\\\\\\n\\u00e9\\ud800"', `"${"x".repeat(99)}"`],
    doubtful: ['"', '"a', '"\\x"', '"\\u12"', '"\u0001"', '"abcdefgh\nabcdefgh"', "5"],
  },
  {
    schema: '{"type":"bytes"}',
    sure: ['""', '"YQ=="', '"YWI="', '"YWJj"'],
    doubtful: ['"YQ"', '"YQ="', '"Y==="', '"YWJj\\n"', '"a"'],
  },
  { schema: decimal, sure: ['"AQ=="'], doubtful: ['""', "1.5"] },
  {
    schema: '{"type":"int32","name":"org.apache.kafka.connect.data.Time"}',
    sure: ["0", "86400000"],
    doubtful: ["86400001", "-1"],
  },
  {
    schema: '{"type":"array","items":{"type":"int8","optional":true}}',
    sure: ["[]", "[1]", "[1,null]"],
    doubtful: ["[", "[1", "[1,", "[1,]", "[,1]", "[1 ]", "{}", "[300]"],
  },
  {
    schema: '{"type":"map","keys":{"type":"string"},"values":{"type":"int8"}}',
    sure: ["{}", '{"a":1,"b":2}'],
    doubtful: ["{", '{"a"}', '{"a":1', '{"a":1,}', '{"a":null}', "[]"],
  },
  {
    schema: '{"type":"map","keys":{"type":"int8"},"values":{"type":"int8"}}',
    sure: ["[]", "[[1,2]]", "[[1,2],[3,4]]"],
    doubtful: ["{}", "[[1]]", "[[1,2,3]]", "[[1,2]", "[[1,2],]"],
  },
  {
    schema: struct(field("int8", "a"), field("string", "b", ',"optional":true')),
    sure: ['{"a":1,"b":"x"}', '{"a":1,"b":null}'],
    doubtful: ['{"b":"x","a":1}', '{"a":1}', '{"a":1,"b":"x","c":1}', "{}", '{"a": 1,"b":"x"}'],
  },
  { schema: struct(), sure: ["{}"], doubtful: ['{"a":1}', "{ }"] },
  {
    schema: struct(field("int8", "a", ',"optional":true,"default":1')),
    sure: ['{"a":2}'],
    doubtful: ['{"a":null}'],
  },
  {
    schema: null,
    sure: ["null", "[1, 2.5 ,{ }]", '{"a" : {"b":[true]}, "c":"x"}', "1e99"],
    doubtful: ["[1,]", "{1:2}", '{"a":}', "[9223372036854775808]", "nul", "'a'", "\ufeff1"],
  },
];

for (const { schema, sure, doubtful } of cases) {
  const check = new JsonCheck(schema === null ? null : parseSchemaText(schema), true);
  // What stands around the value in the log must not count.
  const endOf = (text: string | Uint8Array, behind: string) => {
    const run = Buffer.from(text);
    const bytes = Buffer.concat([Buffer.from('"1'), run, Buffer.from(behind)]);
    return check.endOf(bytes, 2, 2 + run.length) - 2;
  };
  for (const text of sure) {
    test(`${text.slice(0, 40)} surely is ${schema ?? "JSON"}`, () => {
      for (const behind of ["", "0", '"', "}"]) {
        assert.equal(endOf(text, behind), Buffer.byteLength(text));
      }
    });
  }
  for (const text of doubtful) {
    test(`${JSON.stringify(text.slice(0, 40))} is not surely ${schema ?? "JSON"}`, () => {
      for (const behind of ["", "null", '"', "]}"]) assert.equal(endOf(text, behind), -3);
    });
  }
}

test("a string of malformed UTF-8 is doubtful", () => {
  const check = new JsonCheck(parseSchemaText('{"type":"string"}'), true);
  const bytes = Uint8Array.from([0x22, 0x61, 0xff, 0x22]);
  assert.equal(check.endOf(bytes, 0, 4), -1);
});

test("too deep a nesting is doubtful and does not end the process", () => {
  const text = Buffer.from("[".repeat(100_000));
  assert.equal(new JsonCheck(null, true).endOf(text, 0, text.length), -1);
});
