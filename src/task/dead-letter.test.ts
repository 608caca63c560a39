import assert from "node:assert/strict";
import { test } from "node:test";
import { TaskError } from "../base/error.ts";
import type { Failure } from "../plugin/plugin.ts";
import { javaError } from "../record/java-error.ts";
import { newRecordSlice, type RecordSlice } from "../record/record-slice.ts";
import {
  type DeadLetter,
  fillDeadLetter,
  letterErrorOf,
  letterErrorOfPlugin,
} from "./dead-letter.ts";

const sender = { connector: "c", task: 3 };
const at = { original: { topic: "t", partition: 2, offset: 7 } };
const converter = {
  ...at,
  stage: "VALUE_CONVERTER",
  className: "org.apache.kafka.connect.json.JsonConverter",
};

function letter(over: Partial<DeadLetter> = {}): DeadLetter {
  const cause = javaError("SerializationException", "Unexpected character ('b')");
  const error = javaError("DataException", "failed due to serialization error: ", cause);
  return {
    ...converter,
    timestampMs: 1_700_000_000_000,
    key: Buffer.from("k"),
    value: Buffer.from("{bad"),
    headers: [
      { name: Buffer.from("h"), value: Buffer.from("x") },
      { name: Buffer.from("h"), value: null },
    ],
    error: letterErrorOf(error, converter),
    ...over,
  };
}

function headersOf(record: RecordSlice): [string, string | null][] {
  return record.headers.slice(0, record.headerCount).map(({ name, bytes, start, end }) => {
    const value = start < 0 ? null : Buffer.from(bytes.subarray(start, end)).toString();
    return [Buffer.from(name).toString(), value];
  });
}

test("a dead letter is the record, and behind its headers ten that say what failed, in Connect's order", () => {
  const record = newRecordSlice();
  fillDeadLetter(record, letter(), sender);
  assert.equal(record.timestampMs, 1_700_000_000_000);
  assert.equal(Buffer.from(record.key.bytes).toString(), "k");
  assert.equal(Buffer.from(record.value.bytes).toString(), "{bad");
  const headers = headersOf(record);
  assert.deepEqual(headers.slice(0, -1), [
    ["h", "x"],
    ["h", null],
    ["__connect.errors.topic", "t"],
    ["__connect.errors.partition", "2"],
    ["__connect.errors.offset", "7"],
    ["__connect.errors.connector.name", "c"],
    ["__connect.errors.task.id", "3"],
    ["__connect.errors.stage", "VALUE_CONVERTER"],
    ["__connect.errors.class.name", "org.apache.kafka.connect.json.JsonConverter"],
    ["__connect.errors.exception.class.name", "org.apache.kafka.connect.errors.DataException"],
    ["__connect.errors.exception.message", "failed due to serialization error: "],
  ]);
  const [name, trace] = headers.at(-1) ?? [];
  assert.equal(name, "__connect.errors.exception.stacktrace");
  const lines = trace?.split("\n") ?? [];
  assert.equal(
    lines[0],
    "org.apache.kafka.connect.errors.DataException: failed due to serialization error: ",
  );
  assert.equal(
    lines[1],
    "\tconverting the value of the record t-2@7 failed in org.apache.kafka.connect.json.JsonConverter: " +
      "failed due to serialization error: Unexpected character ('b'); check that value.converter and its " +
      "settings fit what the topic holds",
  );
  assert.ok(
    lines.includes(
      "Caused by: org.apache.kafka.common.errors.SerializationException: Unexpected character ('b')",
    ),
    trace ?? "",
  );
});

test("without context headers a dead letter has its own headers only", () => {
  const record = newRecordSlice();
  fillDeadLetter(record, letter(), sender);
  fillDeadLetter(record, letter({ key: null, headers: [] }), undefined);
  assert.equal(record.key.start, -1);
  assert.deepEqual(headersOf(record), []);
});

test("a record of a source has no place in Kafka to name", () => {
  const record = newRecordSlice();
  fillDeadLetter(record, letter({ original: null, headers: [] }), sender);
  assert.equal(headersOf(record)[0]?.[0], "__connect.errors.connector.name");
});

const failures: readonly { name: string; failure: Partial<Failure>; trace: RegExp }[] = [
  {
    name: "with a stack of its own",
    failure: { exceptionClass: "ValueError", stack: "Traceback:\n  line 3\nValueError: no n" },
    trace: /^ValueError: no n\n\tputting .*: no n; look at n\nTraceback:\n {2}line 3/,
  },
  {
    name: "with nothing but a sentence",
    failure: {},
    trace: /^org\.apache\.kafka\.connect\.errors\.ConnectException: no n\n\tputting /,
  },
  {
    name: "of several lines",
    failure: { text: "no n\nnor m", exceptionClass: "E" },
    trace: /^E: no n\nnor m\n\tputting the record t-2@7 failed in Sink: no n nor m; look at n/,
  },
];

for (const { name, failure, trace } of failures) {
  test(`what a plugin says ${name} becomes a trace that begins with class and sentence`, () => {
    const said: Failure = {
      code: "data",
      class: "data",
      text: "no n",
      hint: "look at n",
      exceptionClass: "",
      stack: "",
      causes: [],
      ...failure,
    };
    const error = letterErrorOfPlugin(said, { ...at, stage: "TASK_PUT", className: "Sink" });
    assert.match(error.trace, trace);
  });
}

test("a trace is bounded however much of a record its message quotes", () => {
  const error = new TaskError("task.record_failed", "x".repeat(1_000_000));
  assert.ok(letterErrorOf(error, converter).trace.length < 33_000);
});
