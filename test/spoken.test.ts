/**
 * What the SDKs said when the contract was frozen (test/goldens/spoken), read by this host: whatever
 * becomes of both, these messages keep their meaning.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import { Unpacker } from "../sdk/typescript/test/unpack.ts";
import { checkSourceColumns } from "../src/plugin/columns-check.ts";
import { decodeRecords, isRecords } from "../src/plugin/columns-decode.ts";
import { decodeMessage } from "../src/plugin/decode-message.ts";
import { IncomingDefinitions } from "../src/plugin/definitions.ts";
import { formFromProto } from "../src/plugin/from-proto.ts";
import { PluginMessageSchema } from "../src/plugin/gen/bulkhead/plugin/v1/session_pb.ts";
import { SinkTaskMessageSchema } from "../src/plugin/gen/bulkhead/plugin/v1/sink_pb.ts";
import { SourceTaskMessageSchema } from "../src/plugin/gen/bulkhead/plugin/v1/source_pb.ts";

interface Kept {
  readonly stream: "Session" | "SourceTask" | "SinkTask";
  readonly is: string;
  readonly hex: string;
}

const languages = ["typescript", "python", "go"] as const;

const schemas = {
  Session: PluginMessageSchema,
  SourceTask: SourceTaskMessageSchema,
  SinkTask: SinkTaskMessageSchema,
};

function keptOf(language: string): Kept[] {
  const file = new URL(`goldens/spoken/${language}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8"));
}

/** All of a kind, as the host reads them, without what differs from run to run or from language to language. */
function read(language: string, stream: Kept["stream"], kind: string): JsonValue[] {
  const found = keptOf(language).filter((one) => one.stream === stream && one.is === kind);
  return found.map(({ hex }) => {
    const message = toJson(
      schemas[stream],
      decodeMessage(schemas[stream], Buffer.from(hex, "hex")),
    );
    return plain((message as JsonObject)[kind] as JsonValue);
  });
}

const own = ["token", "ticket", "pid", "sdk", "capabilities", "stack", "exceptionClass"];
const measured = ["rssBytes", "cpuMs", "timeMs", "logger", "taskClass", "timeoutMs", "tags"];

function plain(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).filter(([name]) => ![...own, ...measured].includes(name));
  return Object.fromEntries(members.map(([name, member]) => [name, plain(member)]));
}

const password = "secret";
const failure = { code: "FAILURE_CODE_DATA", failureClass: "FAILURE_CLASS_DATA" };
const at = { topic: "t" };
const stored = { count: 1, outcome: { stored: {} } };

const expected: Record<Kept["stream"], Record<string, JsonValue[]>> = {
  Session: {
    hello: [
      {
        protocolMin: 1,
        protocolMax: 1,
        plugin: { name: "spoken", version: "1.0.0", classes: ["spoken.Source", "spoken.Sink"] },
      },
    ],
    heartbeat: [{ seq: "1" }],
    call: [{ id: "1", connector: "in", readOffsets: { task: 0, partitions: ['{"file":"a"}'] } }],
    logBatch: [
      {
        entries: [
          {
            level: "LOG_LEVEL_INFO",
            text: "reads",
            fields: { file: "a" },
            connector: "in",
            task: 0,
          },
        ],
      },
    ],
    shutdownAck: [{}],
  },
  SourceTask: {
    hello: [{ offsetMode: "OFFSET_MODE_PER_RECORD" }],
    started: [{}],
    checkpoint: [{ partition: '{"file":"a"}', offset: '{"at":9}' }],
    drained: [{}],
    stopped: [{}],
  },
  SinkTask: {
    hello: [{}],
    started: [{}],
    opened: [{}],
    requestCommit: [{}, {}],
    putResult: [
      { putSeq: "1", ok: {} },
      {
        putSeq: "2",
        runs: {
          runs: [
            stored,
            {
              count: 1,
              outcome: {
                failed: {
                  stage: "STAGE_TASK_PUT",
                  failure: { ...failure, text: "not this one", hint: "leave it out" },
                },
              },
            },
            stored,
          ],
        },
      },
    ],
    errantReport: [
      {
        reportId: "1",
        original: { ...at, offset: "4" },
        stage: "STAGE_TASK_PUT",
        failure: { ...failure, text: "nor this" },
      },
    ],
    flushResult: [{ flushSeq: "1", safe: [{ ...at, offset: "5" }] }],
    closed: [{}],
    stopped: [{}],
  },
};

const replies: readonly JsonValue[] = [
  { describe: { classes: classes() } },
  {
    validate: {
      values: [
        {
          name: "topic",
          errors: ['Missing required configuration "topic" which has no default value.'],
          visible: true,
        },
        {
          name: "batch",
          value: "0",
          errors: ["Invalid value 0 for configuration batch: Value must be at least 1"],
          visible: true,
        },
        { name: "password", visible: true },
      ],
    },
  },
  { exactlyOnceSupport: { support: "SUPPORT_SUPPORTED" } },
  { canDefineTransactionBoundaries: { support: "SUPPORT_UNSUPPORTED" } },
  { alterOffsets: { answer: "ALTER_OFFSETS_ANSWER_NOT_DONE" } },
  {
    failure: {
      code: "FAILURE_CODE_INVALID_CONFIG",
      failureClass: "FAILURE_CLASS_CONFIGURATION",
      text: "plugin spoken has no class no.Such; it has spoken.Source, spoken.Sink",
    },
  },
  { startConnector: {} },
  {
    taskConfigs: {
      configs: [
        { config: { topic: "t", password } },
        { config: { topic: "t", password, batch: "2" } },
      ],
    },
  },
  { startTask: {} },
  { stopConnector: {} },
  { startConnector: {} },
  { startTask: {} },
];

function classes(): JsonValue {
  const key = { importance: "IMPORTANCE_HIGH", order: -1, width: "WIDTH_NONE" };
  const version = "1.0.0";
  const config = [
    {
      name: "topic",
      type: "CONFIG_TYPE_STRING",
      required: true,
      documentation: "where to write",
      displayName: "topic",
      ...key,
    },
    {
      name: "batch",
      type: "CONFIG_TYPE_INT",
      defaultValue: "10",
      displayName: "batch",
      validator: { range: { min: 1 } },
      ...key,
    },
    { name: "password", type: "CONFIG_TYPE_PASSWORD", displayName: "password", ...key },
  ];
  return [
    { className: "spoken.Source", kind: "PLUGIN_KIND_SOURCE", version, config },
    { className: "spoken.Sink", kind: "PLUGIN_KIND_SINK", version },
  ];
}

const nothing = { encoding: "null", schema: null, text: null };
const text = (said: string) => ({
  encoding: "text",
  schema: null,
  text: Buffer.from(said).toString("hex"),
});
const bytes = (hex: string) => ({ encoding: "bytes", schema: null, text: hex });
const json = (said: string, schema: string | null = null) => ({
  encoding: "json",
  schema,
  text: Buffer.from(said).toString("hex"),
});
const rowSchema =
  '{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"},{"type":"string","optional":true,"field":"name"}],"optional":false,"name":"spoken.Row"}';

const rows = [
  { value: bytes("00ff") },
  {
    key: text("k"),
    value: text("zwölf €"),
    partition: 3,
    headers: [
      { name: "h", ...text("v") },
      { name: "h", ...bytes("01") },
    ],
  },
  { value: json('{"id":9223372036854775807,"name":null}', rowSchema) },
  { key: text("k") },
  { value: json('{"a":[1,null,"z"]}') },
].map((row, index) => ({
  topic: "t",
  partition: null,
  timestamp: 1_700_000_000_001 + index,
  key: nothing,
  value: nothing,
  headers: [],
  sourcePartition: '{"file":"a"}',
  sourceOffset: `{"at":${index + 1}}`,
  ...row,
}));

for (const language of languages) {
  for (const [stream, kinds] of Object.entries(expected)) {
    for (const [kind, said] of Object.entries(kinds)) {
      test(`${language}: ${kind} of ${stream}`, () => {
        assert.deepEqual(read(language, stream as Kept["stream"], kind), said);
      });
    }
  }

  test(`${language}: every reply`, () => {
    const wanted = replies.map((reply, index) => ({
      id: `${index + 1}`,
      ...(reply as JsonObject),
    }));
    const said = read(language, "Session", "reply") as { id: string }[];
    said.sort((a, b) => Number(a.id) - Number(b.id));
    assert.deepEqual(said, wanted);
  });

  test(`${language}: its metrics`, () => {
    const name = { id: 1, name: "spoken.records", type: "METRIC_TYPE_COUNTER" };
    assert.deepEqual(read(language, "Session", "metricBatch"), [
      {
        descriptors: [{ ...name, documentation: "what was read" }],
        values: [{ id: 1, value: 5 }],
      },
    ]);
  });

  test(`${language}: a batch of all that a record can hold`, () => {
    const incoming = new IncomingDefinitions();
    const unpacker = new Unpacker("hex");
    let batches = 0;
    for (const { stream, hex } of keptOf(language)) {
      if (stream !== "SourceTask") continue;
      const message = Buffer.from(hex, "hex");
      const { kind } = decodeMessage(SourceTaskMessageSchema, message);
      if (kind.case === "topic") incoming.define("topics", kind.value.id, kind.value.topic);
      if (kind.case === "name") incoming.define("names", kind.value.id, kind.value.name);
      if (kind.case === "partition") {
        incoming.define("partitions", kind.value.id, kind.value.partition);
      }
      if (kind.case === "form") incoming.define("forms", kind.value.id, formFromProto(kind.value));
      unpacker.define(decodeMessage(SourceTaskMessageSchema, message));
      if (!isRecords(message)) continue;
      const records = decodeRecords(message);
      assert.ok(records !== "irregular");
      checkSourceColumns(records.columns, {
        offsetMode: "per-record",
        definitions: incoming.current,
        messageBytesMax: 4 * 1024 * 1024,
      });
      assert.equal(records.batchSeq, 1);
      assert.equal(records.columns.count, rows.length);
      assert.equal(records.pollEnd, true);
      assert.ok(kind.case === "records" && kind.value.columns !== undefined);
      assert.deepEqual(unpacker.rows(kind.value.columns), rows);
      batches += 1;
    }
    assert.equal(batches, 1);
  });
}
