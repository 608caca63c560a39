/** Clauses on what may stand in a put. */
import { FailureClass } from "../../plugin/gen/bulkhead/plugin/v1/error_pb.ts";
import { type Clause, must, NotJudged } from "../clause.ts";
import { messageBytesMax } from "../host-end.ts";
import type { PutForm, PutRecord, SinkEnd } from "../sink-end.ts";
import type { Trial } from "../trial.ts";
import { takingSink, wordsOf } from "./sink.ts";

const refusals: readonly FailureClass[] = [FailureClass.DATA, FailureClass.CONFIGURATION];
const section8 = "proto/README.md, section 8";
const json = (schema?: unknown): PutForm =>
  schema === undefined
    ? { encoding: "json" }
    : { encoding: "json", schema: JSON.stringify(schema) };
const text = { encoding: "text", schema: '{"type":"string","optional":true}' } as const;
const struct = (name: string, ...fields: [string, object][]) =>
  json({
    type: "struct",
    name,
    optional: false,
    fields: fields.map(([field, rest]) => ({ field, optional: true, ...rest })),
  });

const decimal = {
  type: "bytes",
  name: "org.apache.kafka.connect.data.Decimal",
  version: 1,
  parameters: { scale: "2" },
  optional: true,
};
const timestamp = {
  type: "int64",
  name: "org.apache.kafka.connect.data.Timestamp",
  version: 1,
  optional: true,
};
const utf8 = { encoding: "text" } as const;
const both = { key: "k", keyForm: text };

/** Each is a value that some sink of some SDK has stumbled over. */
const values: readonly { name: string; record: PutRecord }[] = [
  { name: "a tombstone", record: { key: "k", value: null, form: "tombstone" } },
  { name: "a null of a schema", record: { ...both, value: null, form: text } },
  { name: "an empty text", record: { value: "", form: utf8 } },
  { name: "one byte", record: { value: Buffer.from([0]), form: { encoding: "bytes" } } },
  {
    name: "all bytes",
    record: {
      value: Buffer.from(Array.from({ length: 256 }, (_, n) => n)),
      form: { encoding: "bytes" },
    },
  },
  { name: "text beyond the BMP", record: { value: "Zoë 日本 👩‍👩‍👧 \u0000 \u2028", form: utf8 } },
  { name: "a lone surrogate", record: { value: '"\\uD83D"', form: json({ type: "string" }) } },
  {
    name: "the largest int64",
    record: { value: "9223372036854775807", form: json({ type: "int64" }) },
  },
  {
    name: "the smallest int64",
    record: { value: "-9223372036854775808", form: json({ type: "int64" }) },
  },
  { name: "an int64 without schema", record: { value: '{"n":9007199254740993}', form: json() } },
  { name: "a float64", record: { value: "1.0E16", form: json({ type: "double" }) } },
  { name: "not a number", record: { value: '"NaN"', form: json({ type: "double" }) } },
  {
    name: "a decimal",
    record: { value: `"${Buffer.from([0x01, 0x00]).toString("base64")}"`, form: json(decimal) },
  },
  { name: "a timestamp before 1970", record: { value: "-62135596800000", form: json(timestamp) } },
  {
    name: "a struct of all that",
    record: {
      value: '{"id":-1,"at":0,"price":"AQA=","name":null,"tags":["a",null]}',
      form: struct(
        "Row",
        ["id", { type: "int64" }],
        ["at", timestamp],
        ["price", decimal],
        ["name", { type: "string" }],
        ["tags", { type: "array", items: { type: "string", optional: true } }],
      ),
    },
  },
  {
    name: "a map with keys that are no texts",
    record: {
      value: '[[1,"a"],[2,null]]',
      form: json({
        type: "map",
        keys: { type: "int32" },
        values: { type: "string", optional: true },
      }),
    },
  },
  {
    name: "headers, repeated and null",
    record: {
      value: "h",
      form: utf8,
      headers: [
        { name: "a", value: "1" },
        { name: "a", value: null },
        { name: "é", value: "" },
      ],
    },
  },
  { name: "a record without timestamp", record: { value: "t", form: utf8, timestampMs: -1 } },
];

/** Puts it; a sink may refuse it as data, but not break on it. @throws Broken */
async function mustCope(
  trial: Trial,
  task: SinkEnd,
  name: string,
  records: readonly PutRecord[],
): Promise<"taken" | "refused"> {
  const { seq } = task.put(records);
  const result = await task.until(() => task.resultOf(seq), trial.answerMs);
  must(result !== undefined, `a put with ${name} got no result`);
  const { kind } = result;
  if (kind.case === "ok" || kind.case === "runs") return "taken";
  const refused = kind.case === "failure" && refusals.includes(kind.value.failureClass);
  must(refused, `a put with ${name} was answered with ${wordsOf(result)}`);
  return "refused";
}

/** Judged for each sink class. */
export const sinkDataClauses: readonly Clause[] = [
  {
    id: "sink.values",
    title: "copes with nulls, tombstones, extremes, unicode, decimals and timestamps",
    rule: "A value is a run of bytes and a form; a sink takes it, or refuses it with class DATA.",
    place: section8,
    hint: "read by encoding and schema; form 0 is null without a schema; int64 is not a double",
    of: "sink",
    async run(trial) {
      let { running, task } = await takingSink(trial);
      for (const { name, record } of values) {
        if ((await mustCope(trial, task, name, [record])) === "taken") continue;
        // A task that refuses a record is over; the next value needs another one.
        ({ running, task } = await takingSink(trial));
      }
      must(running.program.exit === undefined, running.program.lastWords);
    },
  },
  {
    id: "sink.schema-change",
    title: "goes on when the schema changes in the stream and within a batch",
    rule: "Definitions travel in order with the batches; each record names its form.",
    place: section8,
    hint: "look the form up for each record, not once for the stream",
    of: "sink",
    async run(trial) {
      const { task } = await takingSink(trial);
      const first = struct("Row", ["id", { type: "int64" }]);
      const second = struct("Row", ["id", { type: "int64" }], ["name", { type: "string" }]);
      const old: PutRecord = { value: '{"id":1}', form: first };
      const changed: PutRecord = { value: '{"id":2,"name":"two"}', form: second };
      for (const records of [[old], [changed], [old, changed, { value: "plain" }]]) {
        const outcome = await mustCope(trial, task, "another schema", records);
        if (outcome === "refused") throw new NotJudged("this sink takes no structs");
      }
    },
  },
  {
    id: "sink.forget",
    title: "ids begin again after Forget",
    rule: "Forget drops all definitions of its sender, and numbering begins again at 1.",
    place: "proto/README.md, section 5",
    hint: "drop the tables of topics, names and forms together",
    of: "sink",
    async run(trial) {
      const { task } = await takingSink(trial);
      const named = { headers: [{ name: "before", value: "1" }] };
      await mustCope(trial, task, "a header", [{ value: "before", ...named }]);
      task.forget();
      const topic = { topic: "another", partition: 3 };
      task.open([topic]);
      await task.until(() => task.of("opened")[1], trial.answerMs);
      const headers = [{ name: "after", value: "2" }];
      const records = [{ ...topic, value: '"after"', form: json({ type: "string" }), headers }];
      const { seq } = task.put(records);
      await task.until(() => task.resultOf(seq), trial.answerMs);
      const result = task.resultOf(seq);
      const fine = result?.kind.case === "ok" || result?.kind.case === "runs";
      must(fine, `a put with ids defined anew was answered with ${wordsOf(result)}`);
    },
  },
  {
    id: "sink.sizes",
    title: "copes with a record of one byte and with one as large as the limit allows",
    rule: "A message is at most max_message_bytes: arena + 64 × (records + headers) + 4,096.",
    place: section8,
    hint: "set the channel's receive limit 64 KiB above max_message_bytes",
    of: "sink",
    async run(trial) {
      const { task } = await takingSink(trial);
      await mustCope(trial, task, "one byte", [{ value: "x" }]);
      const value = Buffer.alloc(messageBytesMax - 4_096 - 64, 120);
      await mustCope(trial, task, `${value.length} bytes`, [{ value, form: utf8 }]);
      const many = Array.from({ length: 10_000 }, (_, n): PutRecord => ({ value: `${n}` }));
      await mustCope(trial, task, "10,000 records", many);
    },
  },
];
