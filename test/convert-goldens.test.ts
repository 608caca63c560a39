/** The converters against what Apache's own did (test/goldens/convert). */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { HostError } from "../src/base/error.ts";
import type { Converter, ConverterUse, SinkPiece } from "../src/convert/converter.ts";
import { createConverter } from "../src/convert/converters.ts";
import { plainStyle, writePayload } from "../src/record/canonical-json.ts";
import { type Form, nullForm } from "../src/record/columns.ts";
import { parseExactJson } from "../src/record/exact-json.ts";
import { javaClassOfError } from "../src/record/java-error.ts";
import type { Schema } from "../src/record/schema.ts";
import { parseSchemaText } from "../src/record/schema-text.ts";
import { readData, writeData } from "../src/record/tagged-json.ts";
import { Floating, type JsonObject, type JsonValue } from "../src/record/value.ts";
import { comparableJson } from "./harness/comparable-json.ts";

/**
 * Cases that a plugin's forms cannot carry, or carry as something else. This list may only shrink.
 */
const notExpressible: Readonly<Record<string, string>> = {
  "IntegerConverter/e62ba9b5": "a form's bytes are of its schema",
  "LongConverter/cf80c236": "a form's bytes are of its schema",
  "JsonConverter/422006e4": "a Decimal whose schema has no scale cannot keep its own",
  "JsonConverter/63da8fe9": "an int64 under an int32 schema is its digits, which are fine",
  "JsonConverter/da195666": "an int32 under an int64 schema is its digits, which are fine",
  "JsonConverter/dacf9bca": "a string under a bytes schema is base64, if bad one",
  "JsonConverter/fd41825b": "a map and a struct are the same JSON",
  "JsonConverter/2440a1aa": "a struct of another schema is JSON like any",
  "JsonConverter/57a6aba5": "without a schema a BigDecimal is a float64",
  "JsonConverter/860e64fc": "without a schema a BigDecimal is a float64",
  "JsonConverter/20914cc9": "without a schema a date is an integer",
  "JsonConverter/a18e60ed": "without a schema a struct is a map",
  "SimpleHeaderConverter/e1b21e0a": "without a schema a date is an integer",
  "SimpleHeaderConverter/982e3f47": "a value that is not of its schema is refused, not guessed",
  "StringConverter/f52342c0": "refused with the config, by its key, not with the first record",
};

interface Golden {
  id: string;
  title: string;
  op: string;
  use: ConverterUse;
  className: string;
  settings: Record<string, string>;
  data: JsonObject | undefined;
  hex: string | null;
  answer: JsonObject;
}

function readGoldens(name: string): Golden[] {
  const text = readFileSync(new URL(`goldens/convert/${name}.jsonl`, import.meta.url), "utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const golden = parseExactJson(line) as JsonObject;
      const request = golden.get("request") as JsonObject;
      const settings = Object.fromEntries(request.get("converter") as Map<string, string>);
      const { class: className = "", ...rest } = settings;
      const use = request.has("header") ? "header" : request.get("isKey") ? "key" : "value";
      return {
        id: (golden.get("id") as string).split("/").slice(1).join("/"),
        title: golden.get("title") as string,
        op: request.get("op") as string,
        use,
        className,
        settings: rest,
        data: request.get("data") as JsonObject | undefined,
        hex: (request.get("hex") ?? null) as string | null,
        answer: golden.get("answer") as JsonObject,
      };
    });
}

/** What a plugin would send: every form that can carry the value. */
function formsOf(schemaJson: JsonValue, value: JsonValue): { form: Form; bytes: Buffer | null }[] {
  const schema = schemaJson === null ? null : writePayload(null, schemaJson, plainStyle);
  const json: Form = { encoding: "json", schema };
  if (value === null) return [{ form: schema === null ? nullForm : json, bytes: null }];
  const { type } = schema === null ? { type: undefined } : parseSchemaText(schema);
  const plain = untagged(value);
  const forms = [{ form: json, bytes: Buffer.from(writePayload(null, plain, plainStyle)) }];
  const isText = (schema === null || type === "string") && typeof plain === "string";
  if (value instanceof Map && value.has("$bytes")) {
    return [{ form: { encoding: "bytes", schema }, bytes: Buffer.from(plain as string, "base64") }];
  }
  if (isText && !/\p{Surrogate}/u.test(plain)) {
    forms.push({ form: { encoding: "text", schema }, bytes: Buffer.from(plain) });
  }
  if (type === "bytes" && typeof value === "string") {
    forms.push({ form: { encoding: "bytes", schema }, bytes: Buffer.from(value, "base64") });
  }
  return forms;
}

/** Without the `$` tags, which say nothing that a form could say. */
function untagged(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(untagged);
  if (!(value instanceof Map)) return value;
  const [tag = "", inner = null] = [...value][0] ?? [];
  if (!tag.startsWith("$"))
    return new Map([...value].map(([name, each]) => [name, untagged(each)]));
  if (tag === "$float64" && inner === "Infinity") return new Floating("1e400");
  if (tag === "$float32" || tag === "$float64" || tag === "$decimal") {
    return typeof inner === "number" ? new Floating(`${inner}.0`) : inner;
  }
  if (tag === "$map") return new Map(inner as [string, JsonValue][]);
  if (tag === "$struct") return untagged((inner as JsonObject).get("value") ?? null);
  return untagged(inner);
}

function playSource(
  converter: Converter,
  { form, bytes }: ReturnType<typeof formsOf>[number],
): string {
  const { lane, nullValue } = converter.sourcePlan(form);
  // The neighbours must not leak in.
  const arena = Buffer.concat([Buffer.from('1"}'), bytes ?? Buffer.alloc(0), Buffer.from('9"}')]);
  const [start, end] = [3, arena.length - 3];
  let result: Uint8Array | null;
  if (bytes === null) result = nullValue();
  else if (lane.at === "copy") result = arena.subarray(start, end);
  else if (lane.at === "typed") result = lane.convert(arena, start, end);
  else result = Buffer.concat([lane.prefix, arena.subarray(start, end), lane.suffix]);
  return `hex ${result === null ? null : Buffer.from(result).toString("hex")}`;
}

function playSink(converter: Converter, hex: string | null): string {
  const record = Buffer.from(hex ?? "", "hex");
  const bytes = Buffer.concat([Buffer.from("12"), record, Buffer.from("34")]);
  const out: SinkPiece = { form: nullForm, bytes: Buffer.alloc(0), start: 0, end: 0 };
  if (hex === null) converter.toPlugin(bytes, -1, -1, out);
  else converter.toPlugin(bytes, 2, 2 + record.length, out);
  const schema = out.form.schema === null ? null : parseSchemaText(out.form.schema);
  if (out.start < 0) return shown(schema, null);
  const run = Buffer.from(out.bytes.subarray(out.start, out.end));
  if (out.form.encoding === "bytes") return shown(schema, run.toString("base64"));
  if (out.form.encoding === "text") return shown(schema, run.toString("utf8"));
  return shown(schema, parseExactJson(run.toString("utf8")));
}

/** The same for the same data; members of maps in order of their names. */
function shown(schema: Schema | null, value: JsonValue): string {
  const text = writePayload(schema, sorted(value), plainStyle);
  return `${writeSchema(schema)} ${text}`;
}

function writeSchema(schema: Schema | null): string {
  return JSON.stringify(schema, (_, part) => (part instanceof Map ? [...part].sort() : part));
}

function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (!(value instanceof Map)) return value;
  const members = [...value].map(([name, each]): [string, JsonValue] => [name, sorted(each)]);
  return new Map(members.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const codes: Readonly<Record<string, string>> = {
  DataException: "convert.data_invalid",
  SchemaBuilderException: "convert.schema_invalid",
  ConfigException: "config.invalid",
};

function wanted({ op, answer }: Golden): string {
  const error = answer.get("error") as JsonObject | undefined;
  if (error !== undefined) {
    const name = (error.get("class") as string).split(".").at(-1) ?? "";
    return `${codes[name] ?? name} ${error.get("message")}`;
  }
  if (op === "from-connect") return `hex ${answer.get("hex")}`;
  const data = answer.get("data") as JsonObject;
  const json = data.get("schema") ?? null;
  const schema = json === null ? null : parseSchemaText(writePayload(null, json, plainStyle));
  return shown(schema, untagged(data.get("value") ?? null));
}

function outcome(play: () => string): string {
  try {
    return play();
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return `${error.code} ${error.message}`;
  }
}

/** Records by way of values: nothing is out of its reach. */
function playPlain(golden: Golden): string {
  const converter = createConverter(golden.className, golden.settings, golden.use);
  if (golden.data !== undefined) {
    const bytes = converter.fromConnect(readData(golden.data));
    return `hex ${bytes === null ? null : Buffer.from(bytes).toString("hex")}`;
  }
  const record = Buffer.from(golden.hex ?? "", "hex");
  const bytes = Buffer.concat([Buffer.from("12"), record, Buffer.from("34")]);
  const at = golden.hex === null ? -1 : 2;
  const data = converter.toConnect(bytes, at, at + (at < 0 ? 0 : record.length));
  return comparableJson(parseExactJson(writeData(data)));
}

function wantedPlain({ op, answer }: Golden): string {
  const error = answer.get("error") as JsonObject | undefined;
  if (error !== undefined) return `${error.get("class")} ${error.get("message")}`;
  if (op === "from-connect") return `hex ${answer.get("hex")}`;
  return comparableJson(answer.get("data") ?? null);
}

const folder = new URL("goldens/convert/", import.meta.url);
const names = readdirSync(folder)
  .filter((name) => name.endsWith(".jsonl"))
  .map((name) => name.slice(0, -".jsonl".length));

for (const name of names) {
  for (const golden of readGoldens(name)) {
    const { id, title, className, settings, use, data, hex } = golden;
    test(`${id}: ${golden.op} of ${title}, as a value`, () => {
      let result: string;
      try {
        result = playPlain(golden);
      } catch (error) {
        if (!(error instanceof HostError)) throw error;
        result = `${javaClassOfError(error)} ${error.message}`;
      }
      assert.equal(result, wantedPlain(golden));
    });
    test(`${id}: ${golden.op} of ${title}`, (t) => {
      const create = () => createConverter(className, settings, use);
      const plays =
        data === undefined
          ? [() => playSink(create(), hex)]
          : formsOf(data.get("schema") ?? null, data.get("value") ?? null).map(
              (sent) => () => playSource(create(), sent),
            );
      const results = plays.map(outcome);
      const reason = notExpressible[id];
      const expected = outcome(() => wanted(golden));
      if (reason === undefined) {
        for (const result of results) assert.equal(result, expected);
        return;
      }
      assert.ok(
        results.some((result) => result !== expected),
        `${id} agrees by now: take it off the list`,
      );
      t.diagnostic(reason);
    });
  }
}
