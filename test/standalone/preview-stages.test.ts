/** `bulkhead preview` of connectors whose transforms and predicates live in plugins. */
import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fill, openLog } from "../harness/embedded-log.ts";
import { repository, temporaryDirectory } from "../harness/host-process.ts";
import { jsonOf, preview, workerText } from "../harness/preview.ts";
import { privacyPlugins, privacyProgram } from "../harness/privacy-plugin.ts";
import { commandOf, descendantsOf } from "../harness/processes.ts";

const apache = "org.apache.kafka.connect.transforms";

/** One that a predicate of a plugin decides on, one of a plugin, one that is built in. */
const chain = {
  transforms: "drop,mask,origin",
  "transforms.drop.type": `${apache}.Filter`,
  "transforms.drop.predicate": "two",
  predicates: "two",
  "predicates.two.type": "example.FieldEquals",
  "predicates.two.field": "n",
  "predicates.two.value": "2",
  "transforms.mask.type": "MaskFields",
  "transforms.mask.fields": "name",
  "transforms.origin.type": `${apache}.InsertField$Value`,
  "transforms.origin.static.field": "origin",
  "transforms.origin.static.value": "here",
};

interface Place {
  readonly folder: string;
  readonly worker: string;
  readonly connector: string;
}

async function placeFor(
  context: TestContext,
  config: Readonly<Record<string, string>>,
  command?: readonly string[],
): Promise<Place> {
  const folder = await temporaryDirectory(context);
  const plugins = await privacyPlugins(folder, command);
  const worker = join(folder, "worker.properties");
  const paths = [join(repository, "plugins"), join(repository, "test/fixtures/notebook"), plugins];
  await writeFile(worker, workerText(`embedded:${join(folder, "log")}`, paths.join()));
  const connector = join(folder, "connector.json");
  await writeFile(connector, JSON.stringify({ name: "seen", ...config }));
  return { folder, worker, connector };
}

const dictated = (records: readonly object[]) => ({
  "connector.class": "fixture.notebook.DictationSource",
  topic: "rows",
  records: JSON.stringify(records.map((value) => ({ value }))),
  ...chain,
});

test("each of a source's records goes through them one after the other", async (context) => {
  const rows = [
    { n: 1, name: "ann" },
    { n: 2, name: "bob" },
    { n: 3, city: "Bern" },
  ];
  const { worker, connector } = await placeFor(context, dictated(rows));
  const ended = await preview([connector, "--worker", worker, "--records", "3", "--json"]);
  assert.equal(ended.stderr, "3 records: 1 dropped, 0 failed, nothing was written\n");
  assert.equal(ended.code, 0);
  const seen = jsonOf(ended).map(({ steps, end }) => [
    steps.map(({ result }: { result: string }) => result).join(),
    end.value ?? end.by,
  ]);
  assert.deepEqual(seen, [
    ["skipped,changed,changed", '{"n":1,"name":"****","origin":"here"}'],
    ["dropped", "drop"],
    ["skipped,unchanged,changed", '{"n":3,"city":"Bern","origin":"here"}'],
  ]);
});

test("so does each of a sink's", async (context) => {
  const { folder, worker, connector } = await placeFor(context, {
    "connector.class": "bench.NullSink",
    "count.file": "never-written",
    topics: "rows",
    ...chain,
  });
  const kafka = await openLog(context, { directory: join(folder, "log") });
  await kafka.admin.createTopic({
    name: "rows",
    partitionCount: 1,
    replicationFactor: 1,
    config: {},
  });
  await fill(kafka, "rows", ['{"n":1,"name":"ann"}', '{"n":2}', "nope"]);
  await kafka.close();
  const ended = await preview([connector, "--worker", worker, "--json"]);
  assert.equal(ended.stderr, "3 records: 1 dropped, 1 failed, nothing was put\n");
  const seen = jsonOf(ended).map(({ steps, end }) => [
    steps.map(({ result }: { result: string }) => result).join(),
    end.stage ?? end.at,
  ]);
  assert.deepEqual(seen, [
    ["skipped,changed,changed", "put"],
    ["dropped", "dropped"],
    ["", "VALUE_CONVERTER"],
  ]);
});

test("a plugin that does not start, or dies, ends it with its name", async (context) => {
  const gone = await placeFor(context, dictated([{ n: 1 }]), ["node", "-e", "process.exit(7)"]);
  const never = await preview([gone.connector, "--worker", gone.worker]);
  assert.deepEqual([never.code, never.stdout], [3, ""]);
  assert.match(never.stderr, /^bulkhead: cannot preview connector seen: .*privacy/m);

  const { folder, worker, connector } = await placeFor(context, {
    "connector.class": "FileStreamSource",
    topic: "lines",
    transforms: "mask",
    "transforms.mask.type": "MaskFields",
    "transforms.mask.fields": "name",
  });
  const file = join(folder, "lines.txt");
  await writeFile(file, "one\n");
  const config = { name: "seen", ...JSON.parse(await readFile(connector, "utf8")), file };
  await writeFile(connector, JSON.stringify(config));
  const killed = await preview([connector, "--worker", worker, "--json"], /one/, (pid) => {
    for (const each of descendantsOf(pid)) {
      if (commandOf(each).includes(privacyProgram)) process.kill(each, "SIGKILL");
    }
    appendFileSync(file, "two\n");
  });
  assert.equal(killed.code, 3, killed.stderr);
  assert.match(killed.stderr, /^bulkhead: cannot preview connector seen: .*SIGKILL/m);
  assert.equal(jsonOf(killed).length, 1);
});
