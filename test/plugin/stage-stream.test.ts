/** Transforms, predicates and converters in a plugin of the SDK: the host's streams against real processes. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type {
  ProcessLease,
  StageKind,
  StageOperation,
  StagePart,
  StageRun,
  StageStream,
} from "../../src/plugin/plugin.ts";
import { type Columns, emptyColumns, type Form } from "../../src/record/columns.ts";
import { repository } from "../harness/host-process.ts";
import { noSignal, rawHost } from "../harness/raw-plugin.ts";
import { waitFor } from "../harness/wait-for.ts";

const text: Form = { encoding: "text", schema: null };
const json: Form = { encoding: "json", schema: null };
const bytes: Form = { encoding: "bytes", schema: null };
const program = join(repository, "sdk/typescript/examples/privacy/main.mjs");
const moody = join(repository, "test/fixtures/stages/main.mjs");

interface Row {
  key?: string | null;
  value?: string | null;
  headers?: readonly (readonly [name: string, value: string])[];
}

/** Records of a source on topic `t`; `asSink` adds what a sink's have besides. */
function columnsOf(
  stage: StageStream,
  rows: readonly Row[],
  { form = text, headerForm = text, asSink = false }: Forms = {},
): Columns {
  const columns = emptyColumns();
  const headers = rows.flatMap((row) => row.headers ?? []);
  const size = (value: string | null | undefined) => (value ? Buffer.byteLength(value) + 1 : 0);
  columns.count = rows.length;
  columns.arena = Buffer.from(
    rows
      .map(({ key, value, headers: own = [] }) =>
        [key ?? "", value ?? "", ...own.map(([, of]) => of)].join(""),
      )
      .join(""),
  );
  columns.keySizes = Uint32Array.from(rows, ({ key }) => size(key));
  columns.keyForms = Uint32Array.from(rows, ({ key }) => (key ? stage.formId(text) : 0));
  columns.valueSizes = Uint32Array.from(rows, ({ value }) => size(value));
  columns.valueForms = Uint32Array.from(rows, ({ value }) => (value ? stage.formId(form) : 0));
  columns.topics = Uint32Array.of(stage.topicId("t"));
  columns.partitions = Uint32Array.of(4);
  columns.timestamps = Float64Array.of(1_700_000_000_000);
  columns.headerCounts = Uint32Array.from(rows, (row) => row.headers?.length ?? 0);
  columns.headerNames = Uint32Array.from(headers, ([name]) => stage.nameId(name));
  columns.headerSizes = Uint32Array.from(headers, ([, value]) => size(value));
  columns.headerForms = Uint32Array.from(headers, () => stage.formId(headerForm));
  if (asSink) columns.offsets = Float64Array.from(rows, (_, at) => 4_200 + at);
  return columns;
}

interface Forms {
  form?: Form;
  headerForm?: Form;
  asSink?: boolean;
}

/** The records of a part as rows, with the forms that their values came in. */
function rowsOf({ columns, definitions }: StagePart): (Row & { topic?: string; form?: Form })[] {
  let at = 0;
  let header = 0;
  const take = (size: number) => {
    if (size === 0) return null;
    const start = at;
    at += size - 1;
    return Buffer.from(columns.arena.subarray(start, at)).toString();
  };
  const one = (column: Uint32Array, row: number) => column[column.length === 1 ? 0 : row] ?? 0;
  return Array.from({ length: columns.count }, (_, row) => {
    const key = take(columns.keySizes[row] ?? 0);
    const value = take(columns.valueSizes[row] ?? 0);
    const headers = Array.from({ length: columns.headerCounts[row] ?? 0 }, () => {
      const name = definitions.names[columns.headerNames[header]!]!;
      const of = take(columns.headerSizes[header] ?? 0) ?? "";
      header += 1;
      return [name, of] as const;
    });
    const form = definitions.forms[one(columns.valueForms, row)]!;
    return { key, value, headers, form };
  });
}

const verdictsOf = (runs: readonly StageRun[]) =>
  runs.flatMap(({ count, verdict }) => Array.from({ length: count }, () => verdict));

async function host(t: TestContext, file: string) {
  const raw = await rawHost(t);
  const plugin = raw.manifest("good", ["node", file]);
  const lease = await raw.processes.acquire({ plugin, connector: "alpha" }, noSignal);
  return { ...raw, lease };
}

let opened = 0;

async function open(
  lease: ProcessLease,
  className: string,
  config: Record<string, string> = {},
  isKey = false,
  signal = noSignal,
): Promise<StageStream> {
  opened += 1;
  const kind: StageKind = className === "example.PlainHeaders" ? "header_converter" : "converter";
  const start = { connector: "alpha", task: 0, alias: `s${opened}`, className, kind };
  return await lease.process.openStage({ ...start, config, isKey, startMsMax: 20_000 }, signal);
}

/** The one part of the result of one batch. */
async function run(stage: StageStream, operation: StageOperation, columns: Columns) {
  await stage.room();
  const parts = await stage.run(operation, columns);
  assert.equal(parts.length, 1);
  return parts[0]!;
}

test("the example's transform, predicate and converters do their work side by side", async (t) => {
  const { lease } = await host(t, program);
  const mask = await open(lease, "example.MaskFields", { fields: "name", drop: "true" });
  for (const asSink of [false, true]) {
    const rows: Row[] = [
      { key: "k", value: '{"id":1,"name":"Ann"}', headers: [["h", "x"]] },
      { value: '{"id":2}' },
      { value: null },
    ];
    const part = await run(mask, "apply", columnsOf(mask, rows, { form: json, asSink }));
    assert.deepEqual(verdictsOf(part.runs), ["ok", "filtered", "ok"]);
    const [first, second] = rowsOf(part);
    assert.deepEqual(first, {
      key: "k",
      value: '{"id":1,"name":"****"}',
      headers: [["h", "x"]],
      form: json,
    });
    assert.equal(second?.value, null);
    assert.equal(part.definitions.topics[part.columns.topics[0]!], "t");
    assert.deepEqual([...part.columns.partitions], [4]);
    assert.deepEqual([...part.columns.timestamps], [1_700_000_000_000]);
  }

  const equals = await open(lease, "example.FieldEquals", { field: "id", value: "2" });
  const tested = columnsOf(equals, [{ value: '{"id":1}' }, { value: '{"id":2}' }], { form: json });
  const answer = await run(equals, "test", tested);
  assert.deepEqual(verdictsOf(answer.runs), ["false", "true"]);
  assert.equal(answer.columns.count, 0);

  const csv = await open(lease, "example.CsvConverter", { columns: "a,b" });
  const lines = columnsOf(csv, [{ value: "1,2" }, { value: "1" }, { value: null }], {
    form: bytes,
  });
  const data = await run(csv, "to connect", lines);
  assert.deepEqual(verdictsOf(data.runs), ["ok", "failed", "ok"]);
  assert.equal(rowsOf(data)[0]?.value, '{"a":"1","b":"2"}');
  assert.match(rowsOf(data)[0]?.form?.schema ?? "", /"type":"struct"/);
  const back = columnsOf(csv, [{ value: '{"a":"x","b":"y"}' }], { form: json });
  const [line] = rowsOf(await run(csv, "from connect", back));
  assert.deepEqual([line?.value, line?.form], ["x,y", bytes]);

  const plain = await open(lease, "example.PlainHeaders");
  const headers: Row[] = [
    {
      headers: [
        ["n", "7"],
        ["n", "8"],
      ],
    },
    {},
  ];
  const out = await run(plain, "from connect", columnsOf(plain, headers, { headerForm: json }));
  assert.deepEqual(
    rowsOf(out).map((row) => row.headers),
    [
      [
        ["n", "7"],
        ["n", "8"],
      ],
      [],
    ],
  );
  for (const stage of [mask, equals, csv, plain]) assert.equal(await stage.stop(20_000), undefined);
});

test("a converter is told whose it is and may add headers, and ids begin again after forget", async (t) => {
  const { lease } = await host(t, moody);
  const key = await open(lease, "fixture.stages.Tagging", {}, true);
  const rows: Row[] = [{ value: "1", headers: [["a", "b"]] }];
  for (let round = 0; round < 2; round += 1) {
    const columns = columnsOf(key, rows, { headerForm: bytes });
    assert.equal(columns.topics[0], 1);
    const [made] = rowsOf(await run(key, "from connect", columns));
    assert.deepEqual(made?.headers, [
      ["a", "b"],
      ["of", "key"],
    ]);
    key.forget();
  }
});

test("what user code throws fails its record alone, in its own words", async (t) => {
  const { lease } = await host(t, moody);
  const stage = await open(lease, "fixture.stages.Moody");
  const moods = ["a", "throw", "drop", "data", "retry", "text", "nothing", "giant", "b"];
  const rows = moods.map((value) => ({ value }));
  await stage.room();
  const parts = await stage.run("apply", columnsOf(stage, rows));
  const runs = parts.flatMap((part) => part.runs);
  assert.deepEqual(
    runs.map((one) =>
      one.verdict === "failed"
        ? `${one.failure.class} ${one.failure.text.slice(0, 40)}`
        : one.verdict,
    ),
    [
      "ok",
      "data this one is bad",
      "filtered",
      "data not a number",
      "transient the lookup is busy",
      "data just a text",
      "data apply returned nothing: it has to return",
      "data a record has 8392768 bytes as a message;",
      "ok",
    ],
  );
  assert.deepEqual(
    parts.flatMap(rowsOf).map(({ value }) => value),
    ["a!", "b!"],
  );
  const thrown = runs[1] as Extract<StageRun, { verdict: "failed" }>;
  assert.match(thrown.failure.stack, /stages\/main\.mjs:\d+/);
});

test("a result that has grown beyond a message comes in parts", async (t) => {
  const { lease } = await host(t, moody);
  const stage = await open(lease, "fixture.stages.Moody");
  await stage.room();
  const moods = ["grow", "grow", "loud", "grow", "grow", "drop", "grow", "grow"];
  const parts = await stage.run(
    "apply",
    columnsOf(
      stage,
      moods.map((value) => ({ value })),
    ),
  );
  assert.ok(parts.length > 1);
  const verdicts = parts.flatMap(({ runs }) => verdictsOf(runs));
  assert.deepEqual(verdicts, "ok ok failed ok ok filtered ok ok".split(" "));
  const sizes = parts.flatMap((part) => rowsOf(part).map(({ value }) => value?.length));
  assert.deepEqual(sizes, Array(6).fill(1024 * 1024));
  // More than sixteen messages of it is too much for the host.
  await stage.room();
  const many = columnsOf(stage, Array(80).fill({ value: "grow" }));
  await assert.rejects(stage.run("apply", many), {
    code: "plugin.gone",
    message: /in all its parts/,
  });
});

test("a class that cannot be opened says why, and the process goes on", async (t) => {
  const { lease } = await host(t, moody);
  for (const [className, config, code, message] of [
    [
      "no.Such",
      {},
      "plugin.launch_failed",
      /promises the class no\.Such, but its program has only fix/,
    ],
    ["fixture.stages.Moody", { start: "no database" }, "plugin.request_failed", /no database/],
  ] as const) {
    await assert.rejects(open(lease, className, config), {
      code,
      message,
    });
  }
  const predicate = await open(lease, "fixture.stages.NoAnswer");
  const part = await run(predicate, "test", columnsOf(predicate, [{ value: "x" }]));
  assert.deepEqual(verdictsOf(part.runs), ["failed"]);
  // Asked for what a predicate cannot do, the stage as a whole has failed; it still closes.
  await predicate.room();
  const wrong = predicate.run("apply", columnsOf(predicate, [{ value: "x" }]));
  await assert.rejects(wrong, { code: "plugin.request_failed", message: /a predicate was asked/ });
  assert.equal(await predicate.stop(20_000), undefined);
});

test("opening a stage is cancelled while its start waits, and the next one opens", async (t) => {
  const { lease, log } = await host(t, moody);
  const cancel = new AbortController();
  const opening = open(lease, "fixture.stages.Moody", { start: "wait" }, false, cancel.signal);
  opening.catch(() => {});
  await waitFor(() => log.find("starting") !== undefined, { withinMs: 20_000 });
  cancel.abort(new Error("no longer wanted"));
  await assert.rejects(opening, /no longer wanted/);
  await waitFor(() => log.find("start cancelled") !== undefined, { withinMs: 20_000 });
  const next = await open(lease, "fixture.stages.Moody");
  const part = await run(next, "apply", columnsOf(next, [{ value: "a" }]));
  assert.deepEqual(verdictsOf(part.runs), ["ok"]);
});

test("what a stage's stop throws is told, and the stage is closed all the same", async (t) => {
  const { lease } = await host(t, moody);
  const stage = await open(lease, "fixture.stages.Moody", { stop: "cannot flush" });
  const failure = await stage.stop(20_000);
  assert.equal(failure?.text, "cannot flush");
  assert.match(failure?.stack ?? "", /stages\/main\.mjs:\d+/);
  const next = await open(lease, "fixture.stages.Moody");
  assert.equal(await next.stop(20_000), undefined);
});

test("a plugin that knows nothing of stages is not asked for one", async (t) => {
  const { processes, manifest } = await rawHost(t);
  const use = { plugin: manifest("good"), connector: "alpha" };
  const lease = await processes.acquire(use, noSignal);
  await assert.rejects(open(lease, "raw.Source"), {
    code: "plugin.request_failed",
    message: /plugin raw cannot run transforms, predicates or converters/,
  });
});

test("a stage closes while user code waits, and the rest of what it had is given up", async (t) => {
  const { lease, log } = await host(t, moody);
  const stage = await open(lease, "fixture.stages.Moody");
  await stage.room();
  const waiting = stage.run("apply", columnsOf(stage, [{ value: "wait" }]));
  const behind = stage.run("apply", columnsOf(stage, [{ value: "a" }]));
  const given = Promise.allSettled([waiting, behind]);
  await waitFor(() => log.find("waiting") !== undefined, { withinMs: 20_000 });
  assert.equal(await stage.stop(20_000), undefined);
  await waitFor(() => log.find("stopped") !== undefined, { withinMs: 20_000 });
  assert.ok(log.find("waited") !== undefined);
  assert.deepEqual(
    (await given).map(({ status }) => status),
    ["rejected", "rejected"],
  );
});

test("user code that hangs keeps the stage from closing, and only the deadline says so", async (t) => {
  const { lease, log } = await host(t, moody);
  const stage = await open(lease, "fixture.stages.Moody");
  await stage.room();
  const hanging = stage.run("apply", columnsOf(stage, [{ value: "hang" }]));
  hanging.catch(() => {});
  await waitFor(() => log.find("hanging") !== undefined, { withinMs: 20_000 });
  await assert.rejects(stage.stop(200), { code: "plugin.request_timeout" });
  await assert.rejects(hanging, { code: "plugin.gone" });
  await lease.condemn("a stage did not close");
});

test("a process that dies takes its stages with it, with the reason", async (t) => {
  const { lease } = await host(t, moody);
  const stage = await open(lease, "fixture.stages.Moody");
  const other = await open(lease, "fixture.stages.Tagging");
  await stage.room();
  const batch = stage.run("apply", columnsOf(stage, [{ value: "a" }, { value: "die" }]));
  await assert.rejects(batch, { code: "plugin.gone", message: /was killed by SIGKILL/ });
  assert.match(await other.ended, /was killed by SIGKILL/);
  await assert.rejects(stage.room(), { code: "plugin.gone" });
  await assert.rejects(other.run("from connect", columnsOf(other, [])), { code: "plugin.gone" });
});

test("I5: there is room only while the plugin has given credit", async (t) => {
  const { lease, log } = await host(t, moody);
  const stage = await open(lease, "fixture.stages.Moody");
  const results: Promise<unknown>[] = [];
  await stage.room();
  results.push(stage.run("apply", columnsOf(stage, [{ value: "wait" }])));
  const rows = Array.from({ length: 9_000 }, () => ({ value: "a" }));
  for (let batch = 0; batch < 3; batch += 1) {
    await stage.room();
    results.push(stage.run("apply", columnsOf(stage, rows)));
  }
  await waitFor(() => log.find("waiting") !== undefined, { withinMs: 20_000 });
  const signal = AbortSignal.timeout(100);
  await stage.room(signal);
  assert.ok(signal.aborted, "there was room without credit");
  const given = Promise.allSettled(results);
  await stage.stop(20_000);
  assert.equal((await given).length, 4);
});
