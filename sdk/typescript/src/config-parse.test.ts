import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { type ConfigKey, config } from "./config.ts";
import { parseConfig, parseKeys } from "./config-parse.ts";
import { ConfigError } from "./plugin-error.ts";
import type { Secret } from "./secret.ts";

const invalid = (value: string, reason: string) =>
  `Invalid value ${value} for configuration k: ${reason}`;

const cases: {
  name: string;
  key: ConfigKey;
  given?: string;
  value?: unknown;
  errors?: string[];
}[] = [
  { name: "a string is trimmed", key: config.string(), given: " a ", value: "a" },
  { name: "a missing optional key is undefined", key: config.string(), value: undefined },
  { name: "a default", key: config.int({ default: 5 }), value: 5 },
  { name: "an int with a sign", key: config.int(), given: " +7 ", value: 7 },
  {
    name: "not an int",
    key: config.int(),
    given: "x",
    errors: [invalid("x", "Not a number of type INT")],
  },
  {
    name: "an int out of range",
    key: config.int(),
    given: "2147483648",
    errors: [invalid("2147483648", "Not a number of type INT")],
  },
  {
    name: "a short out of range",
    key: config.short(),
    given: "40000",
    errors: [invalid("40000", "Not a number of type SHORT")],
  },
  {
    name: "a long with a fraction",
    key: config.long(),
    given: "1.5",
    errors: [invalid("1.5", "Not a number of type LONG")],
  },
  { name: "a double", key: config.double(), given: "1e3", value: 1000 },
  { name: "a double with Java's suffix", key: config.double(), given: "1.5d", value: 1.5 },
  {
    name: "not a double",
    key: config.double(),
    given: "1,5",
    errors: [invalid("1,5", "Not a number of type DOUBLE")],
  },
  { name: "a boolean in capitals", key: config.boolean(), given: "TRUE", value: true },
  {
    name: "not a boolean",
    key: config.boolean(),
    given: "yes",
    errors: [invalid("yes", "Expected value to be either true or false")],
  },
  { name: "a list", key: config.list(), given: "a , b,c", value: ["a", "b", "c"] },
  { name: "an empty list", key: config.list({ default: [] }), value: [] },
  {
    name: "a missing required key",
    key: config.string({ required: true }),
    errors: ['Missing required configuration "k" which has no default value.'],
  },
  {
    name: "below the range",
    key: config.int({ min: 1 }),
    given: "0",
    errors: [invalid("0", "Value must be at least 1")],
  },
  {
    name: "above the range",
    key: config.int({ max: 3 }),
    given: "4",
    errors: [invalid("4", "Value must be no more than 3")],
  },
  {
    name: "not a number, with a range",
    key: config.int({ min: 1 }),
    given: "x",
    errors: [invalid("x", "Not a number of type INT"), invalid("null", "Value must be non-null")],
  },
  { name: "one of", key: config.oneOf(["a", "b"]), given: "b", value: "b" },
  {
    name: "none of",
    key: config.oneOf(["a", "b"]),
    given: "c",
    errors: [invalid("c", "String must be one of: a, b")],
  },
  {
    name: "one of in other case",
    key: config.oneOf(["A"], { caseInsensitive: true }),
    given: "a",
    value: "a",
  },
  {
    name: "an empty string",
    key: config.string({ nonEmpty: true }),
    given: "",
    errors: [invalid("", "String must be non-empty")],
  },
  {
    name: "a pattern is matched whole",
    key: config.string({ pattern: /a+/ }),
    given: "aab",
    errors: [invalid("aab", "String must match pattern a+")],
  },
];

for (const one of cases) {
  test(one.name, () => {
    const [parsed] = parseKeys({ k: one.key }, one.given === undefined ? {} : { k: one.given });
    assert.deepEqual(parsed?.errors, one.errors ?? []);
    if (one.errors === undefined) assert.deepEqual(parsed?.value, one.value);
  });
}

test("all problems of a config are told at once", () => {
  const keys = { a: config.int({ required: true }), b: config.boolean() };
  assert.throws(
    () => parseConfig(keys, { b: "maybe" }),
    (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(
        error.problems.map((one) => one.key),
        ["a", "b"],
      );
      return true;
    },
  );
});

test("the types of a config follow from its keys", () => {
  const keys = {
    name: config.string({ required: true }),
    size: config.int({ default: 3 }),
    mode: config.oneOf(["fast", "safe"], { default: "fast" }),
    note: config.string(),
  };
  const parsed = parseConfig(keys, { name: "n" });
  const name: string = parsed.name;
  const size: number = parsed.size;
  const mode: "fast" | "safe" = parsed.mode;
  // @ts-expect-error a key without default may be undefined
  const note: string = parsed.note;
  assert.deepEqual([name, size, mode, note], ["n", 3, "fast", undefined]);
});

test("a password prints as stars", () => {
  const { secret } = parseConfig(
    { secret: config.password({ required: true }) },
    { secret: "abc" },
  );
  const typed: Secret = secret;
  assert.equal(typed.reveal(), "abc");
  for (const shown of [String(typed), JSON.stringify({ typed }), inspect(typed)]) {
    assert.doesNotMatch(shown, /abc/);
  }
});
