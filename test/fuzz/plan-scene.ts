/** What the two ways through a task are compared on: a chain, converters, and records that suit both. */
import assert from "node:assert/strict";
import { ConfigError, RecordError } from "../../src/base/error.ts";
import type { Converter, ConverterUse } from "../../src/convert/converter.ts";
import { createConverter } from "../../src/convert/converters.ts";
import type { ConnectRecord } from "../../src/record/connect-record.ts";
import { parseExactJson } from "../../src/record/exact-json.ts";
import { readRecord } from "../../src/record/tagged-json.ts";
import type { ConvertParts } from "../../src/task/source-way.ts";
import { createSteps } from "../../src/transform/chain.ts";
import { applyStep, type Step } from "../../src/transform/step.ts";
import type { TouchedPart } from "../../src/transform/transform.ts";
import { chainConfig, type RandomStep, randomStep } from "./random-chain.ts";
import type { Choice } from "./random-choice.ts";
import { type LeafType, RandomRecords } from "./random-record.ts";

/** A converter by its name, and its settings. */
export interface ConverterWish {
  readonly name: string;
  readonly settings: Readonly<Record<string, string>>;
}

/** One task's settings, and the batches that it gets: records in the notation of `transform --json-lines`. */
export interface Scene {
  readonly converters: Readonly<Record<ConverterUse, ConverterWish>>;
  readonly config: Readonly<Record<string, string>>;
  readonly batches: readonly (readonly string[])[];
}

const stepsMax = 6;
const batchesPerScene = 2;
const recordsPerBatch = 3;

/** At most two parts are touched, so that there is something to plan. */
const touchables: readonly (readonly TouchedPart[])[] = [
  [],
  ["key"],
  ["value"],
  ["value"],
  ["headers"],
  ["key", "value"],
  ["key", "headers"],
  ["value", "headers"],
  ["value", "headers"],
];

/** Undefined where no chain was found. */
export function randomScene(choice: Choice): Scene | undefined {
  const key = randomConverter(choice);
  const value = randomConverter(choice);
  const records = new RandomRecords(choice);
  const batches = Array.from({ length: batchesPerScene }, () => {
    const kind = records.kind({ ...wish("key", key), ...wish("value", value) });
    return Array.from({ length: recordsPerBatch }, () => records.record(kind));
  });
  const steps = chainFor(choice, batches[0] ?? []);
  if (steps.length === 0) return undefined;
  const header = choice.pick(headerConverters);
  return { converters: { key, value, header }, config: chainConfig(steps), batches };
}

function wish(part: "key" | "value", { name }: ConverterWish): Partial<Record<string, LeafType>> {
  const type = leafTypes[name];
  return type === undefined ? {} : { [part]: type };
}

const leafTypes: Readonly<Record<string, LeafType>> = {
  Boolean: "boolean",
  ByteArray: "bytes",
  Double: "double",
  Float: "float",
  Integer: "int32",
  Long: "int64",
  Short: "int16",
};

function randomConverter(choice: Choice): ConverterWish {
  if (choice.chance(0.7)) return randomJson(choice);
  if (choice.chance(0.5)) return randomString(choice);
  return { name: choice.pick(Object.keys(leafTypes)), settings: {} };
}

function randomJson(choice: Choice): ConverterWish {
  const settings: Record<string, string> = {};
  if (choice.chance(0.5)) settings["schemas.enable"] = "false";
  if (choice.chance(0.3)) settings["decimal.format"] = choice.pick(["NUMERIC", "BASE64"]);
  if (choice.chance(0.3)) settings["replace.null.with.default"] = choice.pick(["true", "false"]);
  if (choice.chance(0.1)) settings["schemas.cache.size"] = choice.pick(["0", "1"]);
  return { name: "Json", settings };
}

function randomString(choice: Choice): ConverterWish {
  const encoding = choice.pick(["", "", "UTF-16", "ISO-8859-1", "US-ASCII", "windows-1252"]);
  return { name: "String", settings: encoding === "" ? {} : { "converter.encoding": encoding } };
}

const headerConverters: readonly ConverterWish[] = [
  { name: "Simple", settings: {} },
  { name: "Simple", settings: {} },
  { name: "String", settings: {} },
  { name: "Json", settings: {} },
  { name: "Json", settings: { "schemas.enable": "false" } },
  { name: "ByteArray", settings: {} },
];

/** Up to six steps, most of which do something to the records and let some of them through. */
function chainFor(choice: Choice, lines: readonly string[]): readonly RandomStep[] {
  const touchable = choice.pick(touchables);
  const wanted = 1 + choice.count(stepsMax - 1);
  let found: readonly RandomStep[] = [];
  for (let tries = 0; tries < 4 * wanted && found.length < wanted; tries += 1) {
    const longer = [...found, randomStep(choice, touchable, 0.25)];
    const steps = stepsOf(chainConfig(longer));
    if (steps.length === 0) continue;
    if (choice.chance(0.05) || lines.some((line) => passes(steps, line))) found = longer;
  }
  return found;
}

/** New ones each time; none where the config is refused. */
export function stepsOf(config: Readonly<Record<string, string>>): readonly Step[] {
  try {
    return createSteps(config);
  } catch (error) {
    assert.ok(error instanceof ConfigError, `another kind of error: ${error}`);
    return [];
  }
}

function passes(steps: readonly Step[], line: string): boolean {
  const record = recordOf(line);
  try {
    return steps.every((step) => applyStep(step, record));
  } catch (error) {
    assert.ok(error instanceof RecordError, `another kind of error: ${(error as Error).stack}`);
    return false;
  }
}

/** A new one each time, for transforms may change it. */
export function recordOf(line: string): ConnectRecord {
  return readRecord(parseExactJson(line));
}

/** New converters, which have learnt nothing. */
export function partsOf({ converters }: Scene): ConvertParts {
  const made = (use: ConverterUse): Converter => {
    const { name, settings } = converters[use];
    return createConverter(name, settings, use);
  };
  return {
    keyConverter: made("key"),
    valueConverter: made("value"),
    headerConverter: made("header"),
    converterClasses: { key: "K", value: "V", header: "H" },
    topicsRefused: new Set(),
  };
}
