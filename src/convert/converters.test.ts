import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../base/error.ts";
import { type Form, nullForm } from "../record/columns.ts";
import type { SinkPiece } from "./converter.ts";
import { createConverter, findConverter } from "./converters.ts";

const newPiece = (): SinkPiece => ({ form: nullForm, bytes: new Uint8Array(0), start: 0, end: 0 });
const text: Form = { encoding: "text", schema: '{"type":"string"}' };
const bytes: Form = { encoding: "bytes", schema: null };
const json: Form = { encoding: "json", schema: null };
const number: Form = { encoding: "json", schema: '{"type":"int32"}' };
const withDefault: Form = { encoding: "json", schema: '{"type":"int32","default":1}' };
const plain = { "schemas.enable": "false" };

const lanes: {
  name: string;
  settings?: Record<string, string>;
  form: Form;
  canonical?: boolean;
  lane: string;
}[] = [
  { name: "StringConverter", form: text, lane: "copy" },
  { name: "StringConverter", form: number, canonical: true, lane: "typed" },
  { name: "ByteArrayConverter", form: bytes, lane: "copy" },
  { name: "SimpleHeaderConverter", form: text, lane: "copy" },
  { name: "JsonConverter", settings: plain, form: json, canonical: true, lane: "copy" },
  { name: "JsonConverter", settings: plain, form: json, lane: "typed" },
  { name: "JsonConverter", settings: plain, form: text, lane: "typed" },
  { name: "JsonConverter", form: number, canonical: true, lane: "wrap" },
  { name: "JsonConverter", form: json, canonical: true, lane: "wrap" },
  { name: "JsonConverter", form: number, lane: "typed" },
  { name: "JsonConverter", form: withDefault, canonical: true, lane: "typed" },
];

for (const { name, settings = {}, form, canonical, lane } of lanes) {
  const promise = canonical === true ? "canonical " : "";
  test(`${name} treats ${promise}${form.encoding} ${form.schema ?? ""} as ${lane}`, () => {
    const converter = createConverter(name, settings, "header");
    assert.equal(converter.sourcePlan(form, canonical).lane.at, lane);
  });
}

for (const name of ["ByteArray", "Json", "String"]) {
  test(`${name} is found by alias and class name, and makes a tombstone of form 0`, () => {
    const factory = findConverter(name);
    assert.equal(findConverter(factory?.className ?? ""), factory);
    assert.equal(createConverter(name, {}, "value").sourcePlan(nullForm).nullValue(), null);
  });
}

test("all wrong settings are told at once", () => {
  const settings = { "schemas.enable": "maybe", "schemas.cache.size": "x", "decimal.format": "?" };
  assert.throws(
    () => createConverter("JsonConverter", settings, "value"),
    (error) => error instanceof ConfigError && error.problems.length === 3,
  );
});

for (const { name, use } of [
  { name: "NoConverter", use: "value" },
  { name: "SimpleHeaderConverter", use: "value" },
] as const) {
  test(`${name} cannot be a ${use} converter`, () => {
    assert.throws(() => createConverter(name, {}, use), ConfigError);
  });
}

test("the same schema is the same form object, whatever its envelope looks like", () => {
  const converter = createConverter("JsonConverter", {}, "value");
  const forms = [
    '{"schema":{"type":"int8"},"payload":1}',
    '{"schema":{"type":"string"},"payload":"x"}',
    '{ "schema": {"type":"int8", "optional":false}, "payload": 2 }',
    '{"payload":3,"schema":{"type":"int8"}}',
  ].map((record) => {
    const out = newPiece();
    converter.toPlugin(Buffer.from(record), 0, record.length, out);
    return out.form;
  });
  assert.equal(forms[2], forms[0]);
  assert.equal(forms[3], forms[0]);
  assert.notEqual(forms[1], forms[0]);
});

test("I5: no more schemas are kept than the cache may hold", () => {
  const converter = createConverter("JsonConverter", { "schemas.cache.size": "2" }, "value");
  const formOf = (version: number) => {
    const record = `{"schema":{"type":"int8","version":${version}},"payload":1}`;
    const out = newPiece();
    converter.toPlugin(Buffer.from(record), 0, record.length, out);
    return out.form;
  };
  const first = formOf(1);
  formOf(2);
  assert.equal(formOf(1), first);
  formOf(2);
  formOf(3);
  assert.notEqual(formOf(1), first);
});

test("an envelope whose schema speaks of a payload is not cut there", () => {
  const converter = createConverter("JsonConverter", {}, "value");
  const schema = '{"type":"int8","parameters":{"a":"1","payload":"2"}}';
  const record = Buffer.from(`{"schema":${schema},"payload":5}`);
  const out = newPiece();
  for (const _ of [1, 2]) {
    converter.toPlugin(record, 0, record.length, out);
    assert.equal(Buffer.from(out.bytes.subarray(out.start, out.end)).toString(), "5");
  }
});

/** U+FFFD in a text is a character like others, 0xff is none. */
const behind = Buffer.concat([Buffer.from("{}\ufffd"), Buffer.of(0xff)]);

const documents: { name: string; record: Buffer; value: string | null }[] = [
  { name: "a byte order mark", record: Buffer.from("\ufeff[1]"), value: "[1]" },
  { name: "UTF-16", record: Buffer.from("[1]", "utf16le"), value: "[1]" },
  { name: "UTF-32", record: Buffer.from("000000310000002000000020", "hex"), value: "1" },
  { name: "blanks around it", record: Buffer.from(' {"a": 1} '), value: '{"a": 1}' },
  { name: "text behind it", record: Buffer.from('"a"b'), value: '"a"' },
  { name: "bytes that are no text behind it", record: behind, value: "{}" },
  { name: "an integer beyond int64", record: Buffer.from("18446744073709551617"), value: "1" },
  { name: "nothing at all", record: Buffer.from(" \n"), value: null },
  { name: "a null", record: Buffer.from(" null "), value: null },
];

for (const { name, record, value } of documents) {
  test(`JSON without schemas: ${name}`, () => {
    const out = newPiece();
    createConverter("JsonConverter", plain, "value").toPlugin(record, 0, record.length, out);
    if (value === null) assert.deepEqual([out.form, out.start], [nullForm, -1]);
    else assert.equal(Buffer.from(out.bytes.subarray(out.start, out.end)).toString(), value);
  });
}

test("transforms are given what stands before bytes that are no text, as plugins are", () => {
  const converter = createConverter("JsonConverter", plain, "value");
  const read = (bytes: Buffer) => converter.toConnect(bytes, 0, bytes.length).value;
  assert.deepEqual(read(behind), new Map());
  assert.deepEqual(read(Buffer.concat([Buffer.from('"a\ufffd"'), Buffer.of(0xff)])), "a\ufffd");
  for (const text of ["", '"a', "1", "[", "{"]) {
    const bytes = Buffer.concat([Buffer.from(text), Buffer.of(0xff)]);
    assert.throws(() => read(bytes), { code: "convert.data_invalid" }, text);
  }
});

test("valid text goes to the plugin where it stands, malformed text as U+FFFD", () => {
  const converter = createConverter("StringConverter", {}, "value");
  const record = Buffer.from("xé");
  const out = newPiece();
  converter.toPlugin(record, 1, record.length, out);
  assert.deepEqual([out.bytes, out.start, out.end], [record, 1, 3]);
  converter.toPlugin(Uint8Array.from([0x61, 0xff]), 0, 2, out);
  assert.equal(Buffer.from(out.bytes.subarray(out.start, out.end)).toString(), "a\ufffd");
});

for (const encoding of ["ISO-8859-1", "UTF-16", "UTF-16LE", "windows-1252", "Shift_JIS"]) {
  test(`StringConverter writes ${encoding} and reads it again`, () => {
    const converter = createConverter("String", { "converter.encoding": encoding }, "value");
    const { lane } = converter.sourcePlan(text);
    assert.ok(lane.at === "typed");
    const sent = encoding === "Shift_JIS" ? "日本 a" : "a ü";
    const arena = Buffer.from(sent);
    const record = lane.convert(arena, 0, arena.length);
    assert.ok(record !== null && !arena.equals(record));
    const out = newPiece();
    converter.toPlugin(record, 0, record.length, out);
    assert.equal(Buffer.from(out.bytes.subarray(out.start, out.end)).toString(), sent);
  });
}

const contradictions: readonly [string, string, string, string][] = [
  ["Short", "int16", "99999", "Failed to serialize to short (was class java.lang.Long): "],
  ["Integer", "int32", "[1]", "Failed to serialize to integer (was class java.util.ArrayList): "],
  ["Long", "int64", "1.5", "Failed to serialize to long (was class java.lang.Double): "],
  ["Long", "int64", "9".repeat(20), "Failed to serialize to long (was class java.lang.Long): "],
  ["Double", "double", '"x"', "Failed to serialize to double (was class java.lang.String): "],
  [
    "Boolean",
    "boolean",
    "1",
    "BooleanConverter is not compatible with objects of type class java.lang.Long",
  ],
];

for (const [name, type, text, message] of contradictions) {
  test(`${name} refuses ${text} that a plugin sends as ${type}`, () => {
    const form: Form = { encoding: "json", schema: `{"type":"${type}"}` };
    const { lane } = createConverter(name, {}, "value").sourcePlan(form);
    assert.ok(lane.at === "typed");
    const arena = Buffer.from(text);
    assert.throws(() => lane.convert(arena, 0, arena.length), {
      code: "convert.data_invalid",
      message,
    });
  });
}

for (const name of ["String", "Simple"]) {
  test(`${name} refuses a struct that its schema does not allow`, () => {
    const schema = '{"type":"struct","fields":[{"type":"int8","field":"a"}]}';
    const form: Form = { encoding: "json", schema };
    const { lane } = createConverter(name, {}, "header").sourcePlan(form);
    assert.ok(lane.at === "typed");
    for (const text of ['{"a":300}', '{"a":1,"b":2}', "[1]"]) {
      const arena = Buffer.from(text);
      const code = "convert.data_invalid";
      assert.throws(() => lane.convert(arena, 0, arena.length), { code }, text);
    }
  });
}
