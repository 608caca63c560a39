/** `bulkhead preview` as a program, with plugin processes of its own. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { repository, temporaryDirectory } from "../harness/host-process.ts";
import { jsonOf, preview, stringConverter, workerText } from "../harness/preview.ts";

const transforms = "org.apache.kafka.connect.transforms";

async function connectorFile(
  context: TestContext,
  config: Readonly<Record<string, string>>,
): Promise<string> {
  const path = join(await temporaryDirectory(context), "connector.json");
  await writeFile(path, JSON.stringify(config));
  return path;
}

/** Rows with a field `id`: 0, 1, 2 and so on. */
const rows = {
  name: "rows",
  "connector.class": "bench.DatagenSource",
  topic: "rows",
  format: "struct",
  records: "1000",
};

test("each record is shown as sent, after each transform and as written, and no log is opened", async (context) => {
  const folder = await temporaryDirectory(context);
  const log = join(folder, "log");
  const worker = join(folder, "worker.properties");
  await writeFile(worker, workerText(`embedded:${log}`, join(repository, "plugins")));
  const file = await connectorFile(context, {
    ...rows,
    "key.converter": "org.apache.kafka.connect.converters.LongConverter",
    transforms: "pick,key,out,route",
    "transforms.pick.type": `${transforms}.ReplaceField$Value`,
    "transforms.pick.include": "id,count",
    "transforms.key.type": `${transforms}.ValueToKey`,
    "transforms.key.fields": "id",
    "transforms.out.type": `${transforms}.ExtractField$Key`,
    "transforms.out.field": "id",
    "transforms.route.type": `${transforms}.RegexRouter`,
    "transforms.route.regex": "rows",
    "transforms.route.replacement": "kept",
    "transforms.route.predicate": "none",
    predicates: "none",
    "predicates.none.type": `${transforms}.predicates.RecordIsTombstone`,
  });
  const json = await preview([file, "--worker", worker, "--records", "3", "--json"]);
  assert.equal(json.stderr, "3 records: 0 dropped, 0 failed, nothing was written\n");
  assert.equal(json.code, 0);
  const seen = jsonOf(json);
  assert.deepEqual(
    seen.map(({ record, before }) => [record, before.topic, before.value.value.id]),
    [1, 2, 3].map((record) => [record, "rows", record - 1]),
  );
  for (const [id, { steps, end }] of seen.entries()) {
    const results = steps.map((one: { alias: string; result: string }) => [one.alias, one.result]);
    const changed = ["pick", "key", "out"].map((alias) => [alias, "changed"]);
    assert.deepEqual(results, [...changed, ["route", "skipped"]]);
    assert.deepEqual(steps[0].record.value.value, { id, count: id });
    assert.deepEqual(steps[1].record.key.value, { id });
    const { at, topic, key, value, headers } = end;
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(BigInt(id));
    assert.deepEqual(
      { at, topic, key, value, headers },
      {
        at: "written",
        topic: "rows",
        key: bytes.toString("utf8"),
        value: `{"id":${id},"count":${id}}`,
        headers: [],
      },
    );
  }

  const text = await preview([file, "--worker", worker, "--records", "1"]);
  assert.equal(text.code, 0, text.stderr);
  const steps = [
    /^record 1/m,
    /^pick \(.*ReplaceField\$Value\): changed it$/m,
    /^route \(.*RegexRouter\): its predicate let the record pass by$/m,
    /^would be written to topic rows, timestamp \d+\n {2}key {4}"(\\u0000){8}"\n {2}value {2}\{"id":0,"count":0\}$/m,
  ];
  for (const step of steps) assert.match(text.stdout, step);
  assert.equal(existsSync(log), false);
});

test("records that are dropped or fail are told with what errors.* would make of them", async (context) => {
  const dropping = {
    ...rows,
    "value.converter": stringConverter,
    transforms: "drop",
    "transforms.drop.type": `${transforms}.Filter`,
    "transforms.drop.predicate": "named",
    predicates: "named",
    "predicates.named.type": `${transforms}.predicates.TopicNameMatches`,
    "predicates.named.pattern": "rows",
  };
  const dropped = await preview([
    await connectorFile(context, dropping),
    ...["--records", "2", "--json"],
  ]);
  assert.equal(dropped.stderr, "2 records: 2 dropped, 0 failed, nothing was written\n");
  assert.equal(dropped.code, 0);
  for (const { end } of jsonOf(dropped)) assert.deepEqual(end, { at: "dropped", by: "drop" });

  const failing = {
    ...rows,
    transforms: "cast",
    "transforms.cast.type": `${transforms}.Cast$Value`,
    "transforms.cast.spec": "name:int32",
  };
  const fates = [
    [{}, "the task would end (errors.tolerance=none)"],
    [
      { "errors.tolerance": "all", "errors.deadletterqueue.topic.name": "letters" },
      "the record would be left out and written to letters (errors.tolerance=all)",
    ],
  ] as const;
  for (const [errors, fate] of fates) {
    const file = await connectorFile(context, { ...failing, ...errors });
    const failed = await preview([file, "--records", "1", "--json"]);
    assert.equal(failed.code, 1, failed.stderr);
    const [{ end, steps }] = jsonOf(failed);
    assert.equal(steps[0].result, "failed");
    assert.deepEqual(
      [end.at, end.stage, end.class, end.fate],
      ["failed", "TRANSFORMATION", `${transforms}.Cast$Value`, fate],
    );
    assert.equal(end.error.class, "org.apache.kafka.connect.errors.DataException");
  }

  const unfit = { ...rows, "value.converter": "org.apache.kafka.connect.converters.LongConverter" };
  const file = await connectorFile(context, unfit);
  const refused = await preview([file, "--records", "1"]);
  assert.equal(refused.code, 1, refused.stderr);
  assert.match(
    refused.stdout,
    /^failed at VALUE_CONVERTER \(org\.apache\.kafka\.connect\.converters\.LongConverter\): the task would end/m,
  );
});

test("what came before it is stopped or its time is over is shown with where it was read", async (context) => {
  const folder = await temporaryDirectory(context);
  const lines = join(folder, "lines.txt");
  await writeFile(lines, "one\ntwo\n");
  const file = await connectorFile(context, {
    name: "lines",
    "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
    file: lines,
    topic: "lines",
    "value.converter": stringConverter,
  });
  const stopped = await preview([file, "--timeout", "100"], /value {2}two\n/);
  assert.equal(stopped.stderr, "2 records: 0 dropped, 0 failed, nothing was written\n");
  assert.equal(stopped.code, 0);
  const { stdout } = stopped;
  assert.ok(stdout.includes(`record 2, partition {"filename":"${lines}"}, offset {"position":8}`));
  assert.match(stdout, /^would be written to topic lines.*\n {2}key {4}null\n {2}value {2}two$/m);

  await writeFile(lines, "");
  const late = await preview([file, "--timeout", "1s", "--json"]);
  assert.equal(
    late.stderr,
    "0 records: 0 dropped, 0 failed, nothing was written; the task sent no more within 1 s\n",
  );
  assert.deepEqual([late.code, late.stdout], [0, ""]);
});

test("a config that creation would refuse is refused with all that is wrong, a sink without a log by a sentence", async (context) => {
  const wrong = { ...rows, topic: "", records: "many", "tasks.max": "0", transforms: "gone" };
  const refused = await preview([await connectorFile(context, wrong)]);
  assert.equal(refused.code, 1);
  assert.equal(refused.stdout, "");
  assert.match(refused.stderr, /^bulkhead: cannot preview connector rows: \d problems\n/);
  for (const key of ["records", "tasks.max", "transforms.gone.type"]) {
    assert.ok(refused.stderr.includes(key), `${key} in ${refused.stderr}`);
  }

  const missing = await preview([
    await connectorFile(context, { ...rows, "connector.class": "no.such.Class" }),
  ]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /no\.such\.Class/);

  const sink = {
    name: "sink",
    "connector.class": "bench.NullSink",
    topics: "rows",
    "count.file": "never-written",
  };
  const put = await preview([await connectorFile(context, sink)]);
  assert.equal(put.code, 3);
  assert.match(put.stderr, /cannot preview connector sink: .*nothing says where its records are/);
  assert.match(put.stderr, /hint: add --worker/);
});

test("a task that fails to start is told in the plugin's words, without its secrets", async (context) => {
  const folder = await temporaryDirectory(context);
  const worker = join(folder, "worker.properties");
  await writeFile(
    worker,
    workerText(`embedded:${join(folder, "log")}`, join(repository, "test", "fixtures")),
  );
  const secret = "opens-the-vault";
  const file = await connectorFile(context, {
    name: "vault",
    "connector.class": "fixture.VaultSource",
    "vault.key": secret,
    start: "badly",
  });
  const { code, stdout, stderr } = await preview([file, "--worker", worker]);
  assert.deepEqual([code, stdout], [3, ""]);
  assert.match(stderr, /^bulkhead: cannot preview connector vault: no login with /m);
  assert.ok(!stderr.includes(secret), stderr);
});
