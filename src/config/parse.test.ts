import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConfigType, Validator } from "./config-def.ts";
import { keyWith, requiredKey } from "./connector-keys.ts";
import { checkKeys, type ParsedValue, parseValue, valueText } from "./parse.ts";
import { Secret } from "./secret.ts";

function key(type: ConfigType, defaultValue: string | null = null, validator?: Validator) {
  return keyWith(defaultValue, shape(type), validator ? { validator } : {});
}

function shape(type: ConfigType) {
  return {
    name: "k",
    type,
    importance: "LOW",
    group: null,
    order: -1,
    width: "NONE",
    displayName: "k",
    documentation: "",
  } as const;
}

const good: { type: ConfigType; text: string; value: ParsedValue; shown: string | null }[] = [
  { type: "BOOLEAN", text: " TRUE ", value: true, shown: "true" },
  { type: "INT", text: " +2 ", value: 2, shown: "2" },
  { type: "INT", text: "-2147483648", value: -2147483648, shown: "-2147483648" },
  { type: "SHORT", text: "32767", value: 32767, shown: "32767" },
  {
    type: "LONG",
    text: "9223372036854775807",
    value: 2n ** 63n - 1n,
    shown: "9223372036854775807",
  },
  { type: "DOUBLE", text: "3", value: 3, shown: "3.0" },
  { type: "DOUBLE", text: "1e7", value: 1e7, shown: "1.0E7" },
  { type: "DOUBLE", text: "0.00012", value: 0.00012, shown: "1.2E-4" },
  { type: "LIST", text: " a , b,c ", value: ["a", "b", "c"], shown: "a,b,c" },
  { type: "LIST", text: " ", value: [], shown: "" },
  { type: "STRING", text: "\t a b \n", value: "a b", shown: "a b" },
  { type: "STRING", text: "\u00a0a", value: "\u00a0a", shown: "\u00a0a" },
  { type: "CLASS", text: " a.B ", value: "a.B", shown: "a.B" },
];

for (const { type, text, value, shown } of good) {
  test(`${JSON.stringify(text)} is a good ${type}`, () => {
    assert.deepEqual(parseValue(key(type), text), { at: "value", value });
    assert.equal(valueText(value, type), shown);
  });
}

const bad: { type: ConfigType; text: string; reason: string }[] = [
  { type: "INT", text: "0x10", reason: "Not a number of type INT" },
  { type: "INT", text: "1.5", reason: "Not a number of type INT" },
  { type: "INT", text: "2147483648", reason: "Not a number of type INT" },
  { type: "SHORT", text: "32768", reason: "Not a number of type SHORT" },
  { type: "LONG", text: "9223372036854775808", reason: "Not a number of type LONG" },
  { type: "DOUBLE", text: "1,5", reason: "Not a number of type DOUBLE" },
  { type: "BOOLEAN", text: "yes", reason: "Expected value to be either true or false" },
];

for (const { type, text, reason } of bad) {
  test(`${text} is no ${type}`, () => {
    assert.deepEqual(parseValue(key(type), text), {
      at: "wrong",
      message: `Invalid value ${text} for configuration k: ${reason}`,
    });
  });
}

const rules: {
  name: string;
  type: ConfigType;
  validator: Validator;
  text: string | null;
  errors: string[];
}[] = [
  {
    name: "a number that cannot be read is also missing for its range",
    type: "INT",
    validator: { at: "range", min: 1 },
    text: "x",
    errors: ["Invalid value x for configuration k: Not a number of type INT", nonNull()],
  },
  {
    name: "a range has an upper end",
    type: "INT",
    validator: { at: "range", min: 1, max: 5 },
    text: "6",
    errors: ["Invalid value 6 for configuration k: Value must be no more than 5"],
  },
  {
    name: "a null is outside every range",
    type: "INT",
    validator: { at: "range", min: 1 },
    text: null,
    errors: [nonNull()],
  },
  {
    name: "one of several",
    type: "STRING",
    validator: { at: "one-of", values: ["a", "b"] },
    text: "A",
    errors: ["Invalid value A for configuration k: String must be one of: a, b"],
  },
  {
    name: "one of several, in any case",
    type: "STRING",
    validator: { at: "one-of", values: ["a", "b"], caseInsensitive: true },
    text: "A",
    errors: [],
  },
  {
    name: "a blank text is empty",
    type: "STRING",
    validator: { at: "non-empty" },
    text: "  ",
    errors: ["Invalid value  for configuration k: String must be non-empty"],
  },
  {
    name: "a pattern holds for the whole text",
    type: "STRING",
    validator: { at: "pattern", regex: "a|b" },
    text: "ab",
    errors: ["Invalid value ab for configuration k: String must match pattern a|b"],
  },
];

for (const { name, type, validator, text, errors } of rules) {
  test(name, () => {
    const checked = checkKeys([key(type, null, validator)], { k: text });
    assert.deepEqual(checked.get("k")?.errors, errors);
  });
}

function nonNull(): string {
  return "Invalid value null for configuration k: Value must be non-null";
}

test("a required key that is missing is named, a default is parsed", () => {
  const keys = [
    { ...requiredKey(shape("STRING")), name: "needed" },
    { ...key("LIST", "a, b"), name: "list" },
  ];
  const checked = checkKeys(keys, {});
  assert.deepEqual(checked.get("needed")?.errors, [
    'Missing required configuration "needed" which has no default value.',
  ]);
  assert.deepEqual(checked.get("list")?.value, ["a", "b"]);
});

test("a password is in no message and no text", () => {
  const checked = checkKeys([key("PASSWORD", null, { at: "one-of", values: ["other"] })], {
    k: "hunter2",
  });
  const { value, errors } = checked.get("k") ?? { value: null, errors: [] };
  assert.equal(errors.length, 1);
  assert.ok(value instanceof Secret && value.reveal() === "hunter2");
  const shown = `${errors} ${valueText(value, "PASSWORD")} ${JSON.stringify(value)} ${value}`;
  assert.ok(!shown.includes("hunter2"), shown);
  assert.equal(valueText(value, "PASSWORD"), "[hidden]");
});
