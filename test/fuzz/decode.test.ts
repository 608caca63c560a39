/** Whatever bytes come, a message is read or refused with a sentence, in bounded time and memory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DescMessage } from "@bufbuild/protobuf";
import { HostError } from "../../src/base/error.ts";
import { checkSourceColumns } from "../../src/plugin/columns-check.ts";
import { decodeRecords, isRecords } from "../../src/plugin/columns-decode.ts";
import { decodeMessage } from "../../src/plugin/decode-message.ts";
import { PluginMessageSchema } from "../../src/plugin/gen/bulkhead/plugin/v1/session_pb.ts";
import { SinkTaskMessageSchema } from "../../src/plugin/gen/bulkhead/plugin/v1/sink_pb.ts";
import { SourceTaskMessageSchema } from "../../src/plugin/gen/bulkhead/plugin/v1/source_pb.ts";
import { StageMessageSchema } from "../../src/plugin/gen/bulkhead/plugin/v1/stage_pb.ts";
import { nullForm } from "../../src/record/columns.ts";
import { cpuMs } from "../harness/cpu-time.ts";
import { chosenSeed, rounds } from "../harness/property.ts";
import { randomFrom } from "../harness/random-data.ts";
import { damaged, randomBytes } from "./random-message.ts";

const schemas: readonly DescMessage[] = [
  PluginMessageSchema,
  SourceTaskMessageSchema,
  SinkTaskMessageSchema,
  StageMessageSchema,
];
const count = 3_000;
/** Far above what a message of some kilobytes takes: a bound against hanging, not a measurement. */
const messageMsMax = 2_000;

for (const schema of schemas) {
  test(`every ${schema.name} that follows the schema is read`, () => {
    each(count, (random) => {
      assert.equal(decodeMessage(schema, randomBytes(schema, random)).$typeName, schema.typeName);
    });
  });

  test(`a damaged ${schema.name} is read or refused with a sentence`, () => {
    let refused = 0;
    each(count, (random) => {
      const bytes = damaged(randomBytes(schema, random), randomBytes(schema, random), random);
      refused += refusal(() => decodeMessage(schema, bytes)) ? 1 : 0;
    });
    assert.ok(refused > count / 20, `${refused} were refused`);
  });
}

test("a damaged batch is refused with a sentence, or read as columns that keep the rules", () => {
  const definitions = {
    topics: ["", "t"],
    names: ["", "h"],
    forms: [nullForm],
    partitions: ["", "p"],
  };
  const rules = { offsetMode: "per-record" as const, definitions, messageBytesMax: 100_000 };
  let batches = 0;
  each(count, (random) => {
    const bytes = randomBytes(SourceTaskMessageSchema, random);
    const message = damaged(bytes, bytes, random);
    if (!isRecords(message)) return;
    batches += 1;
    refusal(() => {
      const decoded = decodeRecords(message);
      if (decoded !== "irregular") checkSourceColumns(decoded.columns, rules);
    });
  });
  assert.ok(batches > count / 30, `${batches} began as batches`);
});

/** Whether it was refused, which must be done in words. */
function refusal(work: () => void): boolean {
  try {
    work();
    return false;
  } catch (error) {
    assert.ok(error instanceof HostError, `another kind of error: ${error}`);
    assert.equal(error.code, "plugin.protocol_error");
    assert.ok(error.message.length > 10 && error.message.length < 2_000, error.message);
    return true;
  }
}

function each(times: number, work: (random: () => number) => void): void {
  const first = chosenSeed();
  for (let seed = first; seed < first + times * rounds(); seed += 1) {
    const begunMs = cpuMs();
    try {
      work(randomFrom(seed));
      const tookMs = cpuMs() - begunMs;
      assert.ok(tookMs < messageMsMax, `it took ${tookMs} ms of CPU`);
    } catch (error) {
      throw new Error(`BULKHEAD_SEED=${seed} makes this message again`, { cause: error });
    }
  }
}
