/** The transforms against what Apache's own did (test/goldens/transform). */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { HostError } from "../src/base/error.ts";
import { parseExactJson } from "../src/record/exact-json.ts";
import { javaClassOfError } from "../src/record/java-error.ts";
import { readRecord, writeRecord } from "../src/record/tagged-json.ts";
import type { JsonObject, JsonValue } from "../src/record/value.ts";
import { createSteps } from "../src/transform/chain.ts";
import { applyStep } from "../src/transform/step.ts";
import { comparableJson } from "./harness/comparable-json.ts";

/** Texts that are a by-product of Java's; of these only the class is compared. */
const byProducts = ["java.lang.NullPointerException", "java.lang.ClassCastException"];

interface Golden {
  readonly id: string;
  readonly title: string;
  readonly request: JsonObject;
  readonly answer: JsonObject;
}

function readGoldens(name: string): Golden[] {
  const text = readFileSync(new URL(`goldens/transform/${name}.jsonl`, import.meta.url), "utf8");
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => Object.fromEntries(parseExactJson(line) as JsonObject) as never);
}

function play(request: JsonObject): string {
  try {
    const config = Object.fromEntries(request.get("transforms") as Map<string, string | null>);
    const steps = createSteps(config);
    const record = readRecord(request.get("record") ?? null);
    const kept = steps.every((step) => applyStep(step, record));
    return kept ? comparableJson(parseExactJson(writeRecord(record))) : "dropped";
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return refusal(javaClassOfError(error), error.message);
  }
}

function wanted(answer: JsonObject): string {
  const error = answer.get("error") as JsonObject | undefined;
  if (error !== undefined) return refusal(String(error.get("class")), error.get("message") ?? null);
  const record = answer.get("record") ?? null;
  return record === null ? "dropped" : comparableJson(record);
}

function refusal(javaClass: string, message: JsonValue): string {
  return byProducts.includes(javaClass) ? javaClass : `${javaClass} ${message}`;
}

const folder = new URL("goldens/transform/", import.meta.url);
const names = readdirSync(folder)
  .filter((name) => name.endsWith(".jsonl"))
  .map((name) => name.slice(0, -".jsonl".length));

for (const name of names) {
  for (const { id, title, request, answer } of readGoldens(name)) {
    test(`${id}: ${title}`, () => assert.equal(play(request), wanted(answer)));
  }
}
