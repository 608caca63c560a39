/** Any transforms with any settings on any record: a record, a refusal in Java's words, and nothing else. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, RecordError } from "../../src/base/error.ts";
import type { Data } from "../../src/record/connect-record.ts";
import { parseExactJson } from "../../src/record/exact-json.ts";
import { javaClassOfError } from "../../src/record/java-error.ts";
import { readRecord, writeRecord } from "../../src/record/tagged-json.ts";
import type { JsonObject } from "../../src/record/value.ts";
import { createSteps } from "../../src/transform/chain.ts";
import { applyStep, type Step } from "../../src/transform/step.ts";
import { cpuMs } from "../harness/cpu-time.ts";
import { chosenSeed, rounds } from "../harness/property.ts";
import { randomBy } from "./random-choice.ts";
import { randomRequest } from "./random-transform.ts";

const requestsUsual = 3_000;
/** Of CPU; the slowest that was seen took 30 ms. */
const requestMsMax = 5_000;

function stepsOf(request: JsonObject): readonly Step[] | undefined {
  try {
    return createSteps(Object.fromEntries(request.get("transforms") as Map<string, string>));
  } catch (error) {
    assert.ok(error instanceof ConfigError, `another kind of error: ${error}`);
    return undefined;
  }
}

/** Its map or struct may be changed, but nothing inside of that. */
function ownData({ schema, value }: Data): Data {
  return { schema, value: value instanceof Map ? new Map(value) : value };
}

/** Plays a request twice on the same steps. */
function play(line: string): "kept" | "dropped" | "refused" {
  const request = parseExactJson(line) as JsonObject;
  const steps = stepsOf(request);
  if (steps === undefined) return "refused";
  const record = readRecord(request.get("record") ?? null);
  const before = writeRecord(record);
  const outcomes = [1, 2].map(() => {
    const own = { ...record, key: ownData(record.key), value: ownData(record.value) };
    try {
      return steps.every((step) => applyStep(step, own)) ? writeRecord(own) : "dropped";
    } catch (error) {
      assert.ok(error instanceof RecordError, `another kind of error: ${(error as Error).stack}`);
      assert.match(javaClassOfError(error), /^(java|org\.apache\.kafka)\./);
      return `refused ${error.message}`;
    } finally {
      // What is inside may be shared: a transform puts new things there.
      assert.equal(writeRecord(record), before);
    }
  });
  assert.equal(outcomes[0], outcomes[1]);
  const outcome = outcomes[0] ?? "";
  if (outcome.startsWith("refused")) return "refused";
  return outcome === "dropped" ? "dropped" : "kept";
}

test("transforms keep, drop or refuse whatever they are given, and leave alone what may be shared", () => {
  const seed = chosenSeed();
  const requests = requestsUsual * rounds();
  const random = randomBy(seed);
  const counts = { kept: 0, dropped: 0, refused: 0 };
  for (let round = 0; round < requests; round += 1) {
    const line = randomRequest(random);
    const startedMs = cpuMs();
    try {
      counts[play(line)] += 1;
      assert.ok(cpuMs() - startedMs < requestMsMax, "it took too long");
    } catch (error) {
      throw new Error(`BULKHEAD_SEED=${seed} request ${round}: ${line}`, { cause: error });
    }
  }
  // Else most of what was made is of no use.
  assert.ok(counts.kept > requests / 3 && counts.refused > requests / 20, JSON.stringify(counts));
});
