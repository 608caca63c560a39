/** Transforms, predicates and converters written in Python: judged by the kit, and on the host's streams. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { StageKind, StageOperation, StageRun, StageStream } from "../../src/plugin/plugin.ts";
import { type Columns, emptyColumns, type Form } from "../../src/record/columns.ts";
import { assertKept, judge } from "../conformance/judged.ts";
import { repository, temporaryDirectory } from "../harness/host-process.ts";
import { pythonEnvironment } from "../harness/python.ts";
import { pythonExample } from "../harness/python-example.ts";
import { noSignal, rawHost } from "../harness/raw-plugin.ts";
import { waitFor } from "../harness/wait-for.ts";

const { python, missing } = await pythonEnvironment();
const skip = missing ?? false;
const json: Form = { encoding: "json", schema: null };
const bytes: Form = { encoding: "bytes", schema: null };

test("the Python SDK's transform, predicate and converters keep every clause on stages", {
  skip,
}, async (t) => {
  const path = await pythonExample(python, "tidy", await temporaryDirectory(t));
  const report = await judge({ plugin: { at: "folder", path } }, ["stage", "describe"], 20_000);
  // Not every class can be made to fail or drop a record.
  assertKept(report, ["stage.fails", "stage.filters"]);
});

/** Values without keys and headers on topic `t`. */
function columnsOf(stage: StageStream, values: readonly string[], form: Form): Columns {
  const columns = emptyColumns();
  columns.count = values.length;
  columns.arena = Buffer.from(values.join(""));
  columns.valueSizes = Uint32Array.from(values, (value) => Buffer.byteLength(value) + 1);
  columns.valueForms = Uint32Array.of(stage.formId(form));
  columns.topics = Uint32Array.of(stage.topicId("t"));
  return columns;
}

const told = (runs: readonly StageRun[]) =>
  runs.flatMap((run) =>
    Array.from({ length: run.count }, () =>
      run.verdict === "failed" ? `${run.failure.class} ${run.failure.text}` : run.verdict,
    ),
  );

async function run(stage: StageStream, operation: StageOperation, columns: Columns) {
  await stage.room();
  const [part] = await stage.run(operation, columns);
  return { told: told(part!.runs), text: Buffer.from(part!.columns.arena).toString(), ...part! };
}

test("a host drives stages in Python side by side, and hears of mistakes in their own words", {
  skip,
}, async (t) => {
  const raw = await rawHost(t);
  const start = async (name: string, file: string) => {
    const plugin = { ...raw.manifest("good", [python, file]), name };
    return await raw.processes.acquire({ plugin, connector: "alpha" }, noSignal);
  };
  let opened = 0;
  const open = (
    { process }: Awaited<ReturnType<typeof start>>,
    className: string,
    config: Record<string, string> = {},
  ) => {
    const alias = `s${++opened}`;
    const kind: StageKind = /Converter|Hex/.test(className) ? "converter" : "transformation";
    const asked = { connector: "alpha", task: 0, alias, className, kind, config, isKey: false };
    return process.openStage({ ...asked, startMsMax: 30_000 }, noSignal);
  };

  const tidy = await start("tidy", join(repository, "sdk/python/examples/tidy/main.py"));
  const flatten = await open(tidy, "example.python.Flatten", { required: "a.b" });
  const logfmt = await open(tidy, "example.python.LogfmtConverter", { strict: "true" });
  const nested = columnsOf(flatten, ['{"a":{"b":1.0,"c":[]}}', '{"a":2}', "3"], json);
  const flat = await run(flatten, "apply", nested);
  assert.deepEqual(flat.told, ["ok", "filtered", "ok"]);
  assert.equal(flat.text, '{"a.b":1.0,"a.c":[]}3');
  const line = await run(logfmt, "to connect", columnsOf(logfmt, ['a=1 b="x y"', "bare"], bytes));
  assert.equal(line.text, '{"a":"1","b":"x y"}');
  assert.match(line.told[1] ?? "", /^data no name=value at character 1: 'bare'/);
  const back = await run(logfmt, "from connect", columnsOf(logfmt, ['{"a":"","b":"x y"}'], json));
  assert.equal(back.text, 'a= b="x y"');
  await assert.rejects(open(tidy, "example.python.Flatten", { separator: "" }), {
    code: "plugin.request_failed",
    message: /Invalid value .* for configuration separator/,
  });
  for (const stage of [flatten, logfmt]) assert.equal(await stage.stop(30_000), undefined);

  const folder = await temporaryDirectory(t);
  const file = join(folder, "moody.py");
  await writeFile(file, moody);
  const lease = await start("moody", file);
  const stage = await open(lease, "test.Moody");
  const made = await run(stage, "apply", columnsOf(stage, ['"raise"', '"retry"', '"none"'], json));
  assert.match(made.told[0] ?? "", /^data no such parcel/);
  assert.match(made.told[1] ?? "", /^transient the lookup is busy/);
  assert.match(made.told[2] ?? "", /^data moody \(.*moody\.py:4\) gave None: it has to give/);
  const [raised] = made.runs as Extract<StageRun, { verdict: "failed" }>[];
  assert.match(raised!.failure.stack, /moody\.py", line 7, in moody/);
  // What runs when the stage closes is told.
  await stage.room();
  const given = Promise.allSettled([stage.run("apply", columnsOf(stage, ['"wait"'], json))]);
  await waitFor(() => raw.log.find("waiting") !== undefined, { withinMs: 30_000 });
  assert.equal(await stage.stop(30_000), undefined);
  await waitFor(() => raw.log.find("was told") !== undefined, { withinMs: 30_000 });
  await given;

  const readme = await readFile(join(repository, "sdk/python/README.md"), "utf8");
  const [, program] = /```python\n(from bulkhead_sdk import DROP,.*?)```/s.exec(readme) ?? [];
  await writeFile(join(folder, "readme.py"), program ?? "");
  const shown = await start("readme", join(folder, "readme.py"));
  const upper = await open(shown, "example.Upper");
  const louder = await run(upper, "apply", columnsOf(upper, ['"abc"', "null"], json));
  assert.deepEqual([louder.told, louder.text], [["ok", "filtered"], "ABC"]);
  const hex = await open(shown, "example.Hex");
  const read = await run(hex, "to connect", columnsOf(hex, ["6162"], bytes));
  assert.equal(read.text, "ab");
});

const moody = `from bulkhead_sdk import RetriableError, run, transform


@transform("test.Moody")
def moody(record, stage):
    if record.value == "raise":
        raise ValueError("no such parcel")
    if record.value == "retry":
        raise RetriableError("the lookup is busy")
    if record.value == "wait":
        stage.log.info("waiting")
        stage.log.info("was told" if stage.sleep(60) else "slept")
        return record


run(moody)
`;
