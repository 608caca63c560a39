import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { decodeMessage } from "./decode-message.ts";
import { failureFromProto, formFromProto, runsFromProto } from "./from-proto.ts";
import { FailureSchema, RunSchema } from "./gen/bulkhead/plugin/v1/error_pb.ts";
import { FormDefSchema } from "./gen/bulkhead/plugin/v1/record_pb.ts";
import { PluginMessageSchema } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import type { Failure, Run } from "./plugin.ts";
import { failureToProto, formToProto, runToProto } from "./to-proto.ts";

const failure: Failure = {
  code: "rate_limited",
  class: "transient",
  text: "slow down",
  hint: "wait",
  exceptionClass: "a.B",
  stack: "a.B: slow down",
  causes: [{ exceptionClass: "c.D", text: "429" }],
};

test("I5: two million empty sub-messages are refused before they are built", () => {
  // LogBatch with nothing but empty entries.
  const entries = Buffer.alloc(4_000_000);
  for (let i = 0; i < entries.length; i += 2) entries[i] = (1 << 3) | 2;
  const length = Buffer.from([0x80, 0x92, 0xf4, 0x01]);
  const message = Buffer.concat([Buffer.from([(5 << 3) | 2]), length, entries]);
  const before = process.cpuUsage();
  assert.throws(() => decodeMessage(PluginMessageSchema, message), {
    code: "plugin.protocol_error",
    message: "a message has more than 200000 fields",
  });
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 500_000, `${user + system} µs`);
});

test("a message cut short, and a text that is not UTF-8, are refused", () => {
  const value = { token: "some token" };
  const message = toBinary(
    PluginMessageSchema,
    create(PluginMessageSchema, { kind: { case: "hello", value } }),
  );
  assert.throws(() => decodeMessage(PluginMessageSchema, message.subarray(0, 8)), {
    code: "plugin.protocol_error",
  });
  message[6] = 0xff;
  assert.throws(() => decodeMessage(PluginMessageSchema, message), {
    code: "plugin.protocol_error",
  });
});

test("a field number that does not fit is refused, before its wire type is guessed", () => {
  // Ten groups of seven bits: as a double, the lowest of them are gone.
  const tag = Uint8Array.from([0x8a, ...Array<number>(8).fill(0xff), 0x01, 0]);
  assert.throws(
    () => decodeMessage(PluginMessageSchema, tag),
    /a message has a field with a number over 2\^29 - 1/,
  );
});

test("failures, runs and forms come back as they went", () => {
  assert.deepEqual(failureFromProto(create(FailureSchema, failureToProto(failure))), failure);
  const runs: Run[] = [
    { count: 2, outcome: "stored" },
    { count: 1, outcome: "failed", stage: "TASK_PUT", failure },
    { count: 3, outcome: "filtered" },
  ];
  const wire = runs.map((run) => create(RunSchema, runToProto(run)));
  assert.deepEqual(runsFromProto(wire, 6), runs);
  assert.throws(() => runsFromProto(wire, 7), /runs add up to 6 instead of 7 records/);
  for (const form of [
    { encoding: "json" as const, schema: '{"type":"string"}' },
    { encoding: "bytes" as const, schema: null },
  ]) {
    assert.deepEqual(formFromProto(create(FormDefSchema, formToProto(4, form))), form);
  }
});

test("a failure from a newer contract is internal and fatal, an outcome without a case is refused", () => {
  const newer = failureFromProto(
    create(FailureSchema, { code: 77 as never, failureClass: 77 as never }),
  );
  assert.deepEqual([newer.code, newer.class], ["internal", "fatal"]);
  assert.throws(() => runsFromProto([create(RunSchema, { count: 1 })], 1), /no outcome/);
});
