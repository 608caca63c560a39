/** The fused lanes give the bytes that reading and writing each value would give, and so does the way of values. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordError } from "../src/base/error.ts";
import type { Converter, SinkPiece } from "../src/convert/converter.ts";
import { createConverter } from "../src/convert/converters.ts";
import { type PayloadStyle, plainStyle, writePayload } from "../src/record/canonical-json.ts";
import { type Form, nullForm } from "../src/record/columns.ts";
import { parseExactJson, parseFirstJson } from "../src/record/exact-json.ts";
import { invalid, readPayload } from "../src/record/payload.ts";
import type { Schema } from "../src/record/schema.ts";
import { parseSchemaText, readSchema, writeSchemaText } from "../src/record/schema-text.ts";
import { writeData } from "../src/record/tagged-json.ts";
import type { JsonObject, JsonValue } from "../src/record/value.ts";
import { comparableJson } from "./harness/comparable-json.ts";
import { randomFrom, randomSchema, randomValue } from "./harness/random-data.ts";

const seed = Number(process.env["BULKHEAD_SEED"] ?? Math.floor(Math.random() * 1e9));
const rounds = 600;

const settings: Record<string, string>[] = [
  {},
  { "schemas.enable": "false" },
  { "replace.null.with.default": "false" },
  { "decimal.format": "NUMERIC" },
  { "decimal.format": "NUMERIC", "schemas.enable": "false", "replace.null.with.default": "false" },
];

function source(
  converter: Converter,
  form: Form,
  canonical: boolean,
  bytes: Uint8Array | null,
): string {
  const { lane, nullValue } = converter.sourcePlan(form, canonical);
  let out: Uint8Array | null;
  if (bytes === null) out = nullValue();
  else if (lane.at === "copy") out = bytes;
  else if (lane.at === "wrap") out = Buffer.concat([lane.prefix, bytes, lane.suffix]);
  else {
    const arena = Buffer.concat([Buffer.from("null"), bytes, Buffer.from("null")]);
    out = lane.convert(arena, 4, 4 + bytes.length);
  }
  return out === null ? "tombstone" : Buffer.from(out).toString("utf8");
}

function outcome(play: () => string): string {
  try {
    return play();
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    return `error ${error.message}`;
  }
}

/** Without any shortcut. */
function plainSource(options: Record<string, string>, schema: Schema, value: JsonValue): string {
  const style: PayloadStyle = {
    nulls: options["replace.null.with.default"] === "false" ? "keep" : "default",
    numericDecimals: options["decimal.format"] === "NUMERIC",
  };
  const payload = writePayload(schema, value, style);
  if (options["schemas.enable"] === "false") return payload;
  return `{"schema":${writeSchemaText(schema, style)},"payload":${payload}}`;
}

test(`JsonConverter: canonical and other texts become the same bytes (seed ${seed})`, () => {
  const random = randomFrom(seed);
  for (let round = 0; round < rounds; round += 1) {
    const schema = randomSchema(random);
    const value = randomValue(random, schema);
    const form: Form = { encoding: "json", schema: writeSchemaText(schema, plainStyle) };
    const canonical = value === null ? null : writePayload(schema, value, plainStyle);
    // The same value as someone else would write it.
    const loose = canonical?.replace(/^([[{])/, "$1 ") ?? null;
    for (const options of settings) {
      const converter = createConverter("JsonConverter", options, "value");
      const expected = outcome(() => plainSource(options, schema, value));
      for (const [isCanonical, text] of [
        [true, canonical],
        [false, canonical],
        [false, loose],
      ] as const) {
        const bytes = text === null ? null : Buffer.from(text);
        const result = outcome(() => source(converter, form, isCanonical, bytes));
        assert.equal(result, expected, `round ${round}, ${JSON.stringify(options)}`);
      }
    }
  }
});

function sink(converter: Converter, record: Buffer): string {
  const out: SinkPiece = { form: nullForm, bytes: Buffer.alloc(0), start: 0, end: 0 };
  const bytes = Buffer.concat([Buffer.from("{"), record, Buffer.from("}}")]);
  converter.toPlugin(bytes, 1, 1 + record.length, out);
  if (out.start < 0) return `${out.form.schema} null`;
  const text = Buffer.from(out.bytes.subarray(out.start, out.end)).toString("utf8");
  const schema = out.form.schema === null ? null : parseSchemaText(out.form.schema);
  return `${out.form.schema} ${writePayload(schema, parseExactJson(text), plainStyle)}`;
}

function plainSink(options: Record<string, string>, record: Buffer): string {
  const replaceNull = options["replace.null.with.default"] !== "false";
  const json = parseFirstJson(record.toString("utf8")) ?? null;
  const isEnveloped = options["schemas.enable"] !== "false";
  const members: JsonObject = json instanceof Map ? json : new Map();
  if (isEnveloped && !(members.size === 2 && members.has("schema") && members.has("payload"))) {
    throw invalid("no envelope");
  }
  const schema = isEnveloped
    ? readSchema(members.get("schema") as JsonValue, { replaceNull })
    : null;
  const value = readPayload(schema, isEnveloped ? members.get("payload") : json, { replaceNull });
  const schemaText = schema === null ? null : writeSchemaText(schema, plainStyle);
  return `${schemaText} ${value === null ? "null" : writePayload(schema, value, plainStyle)}`;
}

test(`JsonConverter: payloads passed on unread are the payloads read (seed ${seed})`, () => {
  const random = randomFrom(seed + 1);
  const converters = settings.map((options) => createConverter("JsonConverter", options, "value"));
  for (let round = 0; round < rounds; round += 1) {
    const schema = randomSchema(random);
    const value = randomValue(random, schema);
    const payload = writePayload(schema, value, plainStyle);
    const tail = round % 5 === 0 ? " x" : "";
    settings.forEach((options, index) => {
      const isEnveloped = options["schemas.enable"] !== "false";
      const style = { ...plainStyle, numericDecimals: options["decimal.format"] === "NUMERIC" };
      const envelope = `{"schema":${writeSchemaText(schema, style)},"payload":${payload}}`;
      const record = Buffer.from((isEnveloped ? envelope : payload) + tail);
      const expected = outcome(() => plainSink(options, record));
      // Twice: the second time the schema is known.
      for (const _ of [1, 2]) {
        const result = outcome(() => sink(converters[index] as Converter, record));
        assert.equal(result, expected, `round ${round}, ${record}`);
      }
    });
  }
});

test(`of broken JSON just that is refused which cannot be read (seed ${seed})`, () => {
  const random = randomFrom(seed + 2);
  for (let round = 0; round < rounds; round += 1) {
    const schema = randomSchema(random);
    const payload = writePayload(schema, randomValue(random, schema), plainStyle);
    const envelope = `{"schema":${writeSchemaText(schema, plainStyle)},"payload":${payload}}`;
    const known = createConverter("Json", {}, "value");
    outcome(() => sink(known, Buffer.from(envelope)));
    const at = envelope.length - 1 - Math.floor(random() * (payload.length + 1));
    const sign = '{}[],:"\\0-x \u0001'[Math.floor(random() * 13)];
    const broken = Buffer.from(envelope.slice(0, at) + sign + envelope.slice(at + 1));
    const read = outcome(() => plainSink({}, broken));
    const result = outcome(() => sink(known, broken));
    const place = `round ${round}, ${broken}`;
    assert.equal(result.startsWith("error"), read.startsWith("error"), place);
    if (!read.startsWith("error")) assert.equal(result, read, place);
  }
});

const converters: [string, Record<string, string>][] = [
  ...settings.map((each): [string, Record<string, string>] => ["Json", each]),
  ["String", {}],
  ["String", { "converter.encoding": "UTF-16" }],
  ...["ByteArray", "Boolean", "Short", "Integer", "Long", "Float", "Double"].map(
    (name): [string, Record<string, string>] => [name, {}],
  ),
];

/** In hexadecimal, for not all converters write text. */
function hexOf(bytes: Uint8Array | null): string {
  return bytes === null ? "tombstone" : Buffer.from(bytes).toString("hex");
}

function lane(converter: Converter, form: Form, text: string | null): string {
  const plan = converter.sourcePlan(form);
  if (text === null) return hexOf(plan.nullValue());
  const bytes = Buffer.from(text);
  if (plan.lane.at === "typed") return hexOf(plan.lane.convert(bytes, 0, bytes.length));
  if (plan.lane.at === "copy") return hexOf(bytes);
  return hexOf(Buffer.concat([plan.lane.prefix, bytes, plan.lane.suffix]));
}

test(`values and lanes become the same bytes in every converter (seed ${seed})`, () => {
  const random = randomFrom(seed + 3);
  const made = converters.map(([name, options]) => createConverter(name, options, "value"));
  for (let round = 0; round < rounds / 2; round += 1) {
    const schema = randomSchema(random, round % 2 === 0 ? 0 : 3);
    const value = randomValue(random, schema);
    const form: Form = { encoding: "json", schema: writeSchemaText(schema, plainStyle) };
    const text = value === null ? null : writePayload(schema, value, plainStyle);
    made.forEach((converter, index) => {
      const place: string = `round ${round}, ${converters[index]}, ${form.schema} ${text}`;
      const plain = outcome(() => hexOf(converter.fromConnect({ schema, value })));
      assert.equal(
        plain,
        outcome(() => lane(converter, form, text)),
        place,
      );
    });
  }
});

test(`bytes of values are read back as the same data, by lanes too (seed ${seed})`, () => {
  const random = randomFrom(seed + 4);
  const keeping = { "replace.null.with.default": "false" };
  for (let round = 0; round < rounds / 2; round += 1) {
    const schema = randomSchema(random);
    const value = randomValue(random, schema);
    for (const options of [keeping, { ...keeping, "decimal.format": "NUMERIC" }]) {
      const converter = createConverter("Json", options, "value");
      let bytes: Uint8Array | null;
      try {
        bytes = converter.fromConnect({ schema, value });
      } catch (error) {
        if (!(error instanceof RecordError)) throw error;
        continue;
      }
      assert.ok(bytes !== null);
      const wanted = comparableJson(parseExactJson(writeData({ schema, value })));
      // Twice: the second time the schema is known.
      for (const _ of [1, 2]) {
        const data = converter.toConnect(bytes, 0, bytes.length);
        const place: string = `round ${round}, ${Buffer.from(bytes)}`;
        assert.equal(comparableJson(parseExactJson(writeData(data))), wanted, place);
        assert.equal(hexOf(converter.fromConnect(data)), hexOf(bytes), place);
        const written =
          data.value === null
            ? "null"
            : writePayload(data.schema, data.value as JsonValue, plainStyle);
        const shown = `${writeSchemaText(data.schema as Schema, plainStyle)} ${written}`;
        assert.equal(sink(converter, Buffer.from(bytes)), shown, place);
      }
    }
  }
});
