import assert from "node:assert/strict";
import { test } from "node:test";
import { arrayElements, canonicalJson } from "./canonical-json.ts";

const same: [string, string][] = [
  ['{"b":1,"a":2}', '{ "a" : 2 ,\n\t"b" : 1 }'],
  ['{"a":{"d":[1,{"z":1,"y":2}],"c":null}}', '{"a":{"c":null,"d":[1,{"y":2,"z":1}]}}'],
  ['"\\u0041\\/"', '"A/"'],
  ["null", " null "],
  ["[]", "[ ]"],
  ["{}", "{ }"],
  ['{"a,b":"}"}', '{"a,b" :"}"}'],
];

for (const [a, b] of same) {
  test(`${a} equals ${JSON.stringify(b)} by value`, () => {
    assert.equal(canonicalJson(a), canonicalJson(b));
  });
}

test("number text is kept", () => {
  const texts = ["1", "1.0", "1e0", "10000000000000000001", "-0"];
  assert.deepEqual(texts.map(canonicalJson), texts);
});

for (const text of [
  ..."{ [ , : tru 01 -".split(" "),
  "",
  "1 2",
  '{"a"}',
  '{"a":1,}',
  "[1,]",
  '"\n"',
  "[".repeat(200),
]) {
  test(`${JSON.stringify(text.slice(0, 20))} is refused`, () => {
    assert.throws(() => canonicalJson(text), SyntaxError);
  });
}

test("the elements of an array are cut out as they stand", () => {
  assert.deepEqual(arrayElements(' ["a, b" , {"y":1, "x":[2]} ] '), ['"a, b"', '{"y":1, "x":[2]}']);
  assert.throws(() => arrayElements("{}"), SyntaxError);
});

test("any value equals itself written with its members shuffled and blanks put in", () => {
  const seed = Number(process.env["BULKHEAD_SEED"] ?? Date.now() % 1_000_000);
  let state = seed;
  const random = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
  const make = (depth: number): unknown => {
    const kind = random(depth > 3 ? 4 : 6);
    if (kind === 0) return random(1_000) - 500;
    if (kind === 1) return ['a\n"', "é😀", "", "}{,"][random(4)];
    if (kind === 2) return random(2) === 0;
    if (kind === 3) return null;
    const values = Array.from({ length: random(4) }, () => make(depth + 1));
    return kind === 4 ? values : Object.fromEntries(values.map((value, i) => [`k${i}`, value]));
  };
  const blank = () => ["", " ", "\n"][random(3)];
  const write = (value: unknown): string => {
    if (Array.isArray(value))
      return `[${blank()}${value.map(write).join(`${blank()},`)}${blank()}]`;
    if (typeof value !== "object" || value === null) return `${JSON.stringify(value)}${blank()}`;
    const members = Object.entries(value).sort(() => random(3) - 1);
    const texts = members.map(([name, of]) => `${JSON.stringify(name)}${blank()}:${write(of)}`);
    return `{${texts.join(`,${blank()}`)}${blank()}}`;
  };
  for (let round = 0; round < 500; round += 1) {
    const value = make(0);
    assert.equal(canonicalJson(write(value)), canonicalJson(write(value)), `BULKHEAD_SEED=${seed}`);
    assert.deepEqual(JSON.parse(canonicalJson(write(value))), value, `BULKHEAD_SEED=${seed}`);
  }
});
