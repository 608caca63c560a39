/** Transforms and predicates that live in a plugin, in the chains of a source and a sink of a real host. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type HostProcess, startHost, temporaryDirectory } from "../harness/host-process.ts";
import { Notebook, type NotedRecord } from "../harness/notebook.ts";
import { privacyPlugins, privacyProgram } from "../harness/privacy-plugin.ts";
import { commandOf, descendantsOf } from "../harness/processes.ts";
import { waitFor } from "../harness/wait-for.ts";

const apache = "org.apache.kafka.connect.transforms";
const plainJson = {
  "value.converter": "org.apache.kafka.connect.json.JsonConverter",
  "value.converter.schemas.enable": "false",
};

/** Before the plugin's step one that is built in, and behind it another. */
const sourceChain = {
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
const sinkChain = {
  transforms: "cast,city",
  "transforms.cast.type": `${apache}.Cast$Value`,
  "transforms.cast.spec": "n:int32",
  "transforms.city.type": "example.MaskFields",
  "transforms.city.fields": "city",
  "transforms.city.drop": "true",
  "errors.tolerance": "all",
};

const sent = [
  { n: "1", name: "ann", city: "Bern" },
  { n: "2", name: "bob", city: "Bonn" },
  { n: "3", name: "cem" },
  { n: "many", name: "dan", city: "Rome" },
  { n: "5", city: "Oslo" },
];
const wanted = [
  { n: 1, name: "****", city: "****", origin: "here" },
  { n: 5, city: "****", origin: "here" },
];

describe("transforms of a plugin", () => {
  let host: HostProcess;
  let notebook: Notebook;
  const noted: NotedRecord[] = [];
  const cleanups: (() => Promise<void>)[] = [];

  before(async () => {
    const directory = await temporaryDirectory({ after: (work) => cleanups.push(work) });
    const plugins = await privacyPlugins(directory);
    notebook = new Notebook(join(directory, "noted"));
    host = await startHost({
      directory,
      worker: {
        "plugin.path": `${Notebook.worker["plugin.path"]},${plugins}`,
        "restart.policy": "on-failure",
        "restart.delay.ms": "50",
      },
    });
  });

  after(async () => {
    host?.kill();
    for (const cleanup of cleanups) await cleanup();
  });

  async function metricsOf(connector: string): Promise<Record<string, number>> {
    const task = (await host.tasks()).find((one) => one.connector === connector);
    return { ...task?.metrics };
  }

  test("their keys are checked and listed like those of Apache's", async () => {
    const config = { "connector.class": "FileStreamSource", topic: "t", name: "v", ...sourceChain };
    const { "transforms.mask.fields": _, ...lacking } = config;
    const path = "/connector-plugins/FileStreamSource/config/validate";
    const { body } = await host.request("PUT", path, lacking);
    const wrong = body.configs.filter(
      (one: { value: { errors: string[] } }) => one.value.errors.length > 0,
    );
    assert.deepEqual(
      wrong.map(({ value }: { value: { name: string; errors: string[] } }) => [
        value.name,
        value.errors,
      ]),
      [
        [
          "transforms.mask.fields",
          ['Missing required configuration "transforms.mask.fields" which has no default value.'],
        ],
      ],
    );
  });

  test("they keep, drop and refuse records in both directions, and every record is counted", async () => {
    await host.createConnector("sink", {
      ...notebook.sinkConfig,
      ...plainJson,
      ...sinkChain,
      topics: "people",
    });
    await host.createConnector("source", {
      "connector.class": "fixture.notebook.DictationSource",
      ...plainJson,
      ...sourceChain,
      topic: "people",
      records: JSON.stringify(sent.map((value) => ({ value }))),
    });
    await waitFor(
      async () => {
        noted.push(...(await notebook.readOn()));
        const { "total-records-skipped": skipped = 0, "records-filtered-total": dropped = 0 } =
          await metricsOf("sink");
        return noted.length + skipped + dropped >= 4;
      },
      { withinMs: 60_000, what: "all records to be settled" },
    );
    assert.deepEqual(
      noted.map(({ value }) => value),
      wanted,
    );
    const source = await metricsOf("source");
    assert.equal(source["source-record-poll-total"], 5);
    assert.equal(source["records-filtered-total"], 1);
    const sink = await metricsOf("sink");
    assert.equal(sink["sink-record-read-total"], 4);
    assert.equal(sink["records-filtered-total"], 1);
    assert.equal(sink["total-records-skipped"], 1);
  });

  test("I7: when their process is killed the tasks begin again, and no record is lost", async () => {
    const pids = descendantsOf(host.pid).filter((pid) => commandOf(pid)?.includes(privacyProgram));
    assert.ok(pids.length > 0, "the stages have a process");
    for (const pid of pids) process.kill(pid, "SIGKILL");
    await host.createConnector("more", {
      "connector.class": "fixture.notebook.DictationSource",
      ...plainJson,
      ...sourceChain,
      topic: "people",
      records: JSON.stringify([{ value: { n: "6", city: "Graz" } }]),
    });
    await waitFor(
      async () => {
        noted.push(...(await notebook.readOn()));
        return noted.some(({ value }) => (value as { n: number }).n === 6);
      },
      { withinMs: 60_000, what: "a record behind the kill" },
    );
    await host.waitForState("source", "RUNNING");
  });

  test("the host ends well, and their processes with it", async () => {
    assert.equal(await host.stop(), 0, host.log.slice(-20).join("\n"));
  });
});
