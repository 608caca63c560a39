import assert from "node:assert/strict";
import { test } from "node:test";
import { manifestText, parseManifest } from "./manifest.ts";

const key = { name: "topic", type: "STRING", importance: "HIGH", documentation: "where to" };
const good = {
  name: "raw",
  version: "1.2",
  command: ["node", "main.js"],
  classes: [{ class: "a.RawSource", kind: "source", config: [key] }],
};

function parse(change: Record<string, unknown>) {
  return parseManifest(JSON.stringify({ ...good, ...change }), "/plugins/raw");
}

test("what a manifest leaves out has a default", () => {
  const parsed = parse({});
  assert.ok(parsed.at === "good");
  const [only] = parsed.manifest.classes;
  assert.equal(parsed.manifest.directory, "/plugins/raw");
  assert.equal(only?.version, "1.2");
  assert.equal(only?.taskClass, "a.RawSource");
  assert.equal(only?.validates, false);
  assert.equal(only?.plugin, parsed.manifest);
  assert.deepEqual(only?.config[0], {
    ...key,
    required: true,
    defaultValue: null,
    group: null,
    order: -1,
    width: "NONE",
    displayName: "topic",
    dependents: [],
    validator: null,
  });
});

for (const { name, more, expect } of [
  { name: "no default member", more: {}, expect: { required: true, defaultValue: null } },
  {
    name: "a default of null",
    more: { default: null },
    expect: { required: false, defaultValue: null },
  },
  {
    name: "a default text",
    more: { default: "x" },
    expect: { required: false, defaultValue: "x" },
  },
  {
    name: "required with a default",
    more: { default: "x", required: true },
    expect: { required: true, defaultValue: null },
  },
]) {
  test(`a key with ${name} is ${expect.required ? "required" : "optional"}`, () => {
    const parsed = parse({
      classes: [{ class: "a.B", kind: "sink", config: [{ ...key, ...more }] }],
    });
    assert.ok(parsed.at === "good");
    const { required, defaultValue } = parsed.manifest.classes[0]?.config[0] ?? {};
    assert.deepEqual({ required, defaultValue }, expect);
  });
}

for (const validator of [
  { at: "range", min: 1 },
  { at: "range", min: 0, max: 5 },
  { at: "one-of", values: ["a", "b"] },
  { at: "one-of", values: ["a"], caseInsensitive: true },
  { at: "non-empty" },
  { at: "pattern", regex: "^a+$" },
]) {
  test(`the validator ${JSON.stringify(validator)} is kept`, () => {
    const parsed = parse({
      classes: [{ class: "a.B", kind: "sink", config: [{ ...key, validator }] }],
    });
    assert.ok(parsed.at === "good");
    assert.deepEqual(parsed.manifest.classes[0]?.config[0]?.validator, validator);
  });
}

test("every problem is found at once, each with its place", () => {
  const parsed = parseManifest(
    JSON.stringify({
      version: 3,
      command: [],
      classes: [
        {
          class: "a.B",
          kind: "sauce",
          config: [{ ...key, type: "TEXT", validator: { at: "pattern", regex: "(" } }],
        },
        { class: "a.B", kind: "sink", aliases: "B" },
        7,
      ],
    }),
    "/plugins/raw",
  );
  assert.ok(parsed.at === "broken");
  assert.deepEqual(parsed.problems, [
    "name is missing: it must be a text",
    "version is not a text",
    "command is empty: it must name a program",
    "classes[2] is not a JSON object",
    "classes[0].config[0].type is not one of BOOLEAN, STRING, INT, SHORT, LONG, DOUBLE, LIST, CLASS, PASSWORD",
    "classes[0].config[0].validator.regex is not a regular expression",
    "classes[0].kind is not one of source, sink, transformation, predicate, converter, header_converter",
    "classes[1].aliases is not a list of texts",
    "classes[2].class is missing: it must be a text",
    "classes[2].kind is missing: it must be one of source, sink, transformation, predicate, converter, header_converter",
    "class a.B is listed twice",
  ]);
});

test("a text that is not JSON, and a list, are refused with a reason", () => {
  const text = parseManifest("{", "/x");
  assert.ok(text.at === "broken");
  assert.match(text.problems[0] ?? "", /^it is not JSON: /);
  const list = parseManifest("[]", "/x");
  assert.ok(list.at === "broken");
  assert.equal(list.problems[0], "it is not a JSON object");
});

test("a manifest written as text is read as the same", () => {
  const full = {
    ...key,
    default: null,
    group: "g",
    order: 3,
    width: "LONG",
    displayName: "Topic",
    dependents: ["other"],
    validator: { at: "one-of", values: ["a"], caseInsensitive: true },
  };
  const classes = [
    { class: "a.Source", kind: "source", config: [key, full, { ...key, default: "x" }] },
    {
      class: "a.Sink",
      kind: "sink",
      version: "7",
      taskClass: "a.SinkTask",
      aliases: ["out"],
      documentationUrl: "https://a.example",
      validates: true,
    },
  ];
  const first = parse({ classes });
  assert.ok(first.at === "good");
  const again = parseManifest(manifestText(first.manifest), "/plugins/raw");
  assert.deepEqual(again, first);
  // What is run may be said by whoever reads it.
  const moved = parseManifest(manifestText(first.manifest), "/elsewhere", "/elsewhere/raw");
  assert.ok(moved.at === "good");
  assert.deepEqual(moved.manifest.command, ["/elsewhere/raw"]);
});
