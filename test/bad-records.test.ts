/**
 * Records that no pipeline can take, in front of a real host: the connector's policy decides, the message
 * names the record, the step, the class and the field, every record is in one of the counts, and the host
 * and its other connectors go on.
 */
import assert from "node:assert/strict";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openEmbedded } from "../src/embedded/embedded.ts";
import { newRecordSlice, noBytes, type RecordSlice } from "../src/record/record-slice.ts";
import { type HostProcess, startHost, temporaryDirectory } from "./harness/host-process.ts";
import { waitFor } from "./harness/wait-for.ts";

const transforms = "org.apache.kafka.connect.transforms";
const json = "org.apache.kafka.connect.json.JsonConverter";
const withSchemas = { "value.converter": json };
const plain = { ...withSchemas, "value.converter.schemas.enable": "false" };
const kib = 1_024;

interface Case {
  readonly name: string;
  readonly config: Readonly<Record<string, string>>;
  readonly good: string;
  /** The record, or its value. */
  readonly bad: string | Readonly<{ key?: Buffer; headerCount?: number; value: string }>;
  /** What stands in the first line of the trace of a task that tolerates nothing, beside the record. */
  readonly says: readonly string[];
}

const integer = (payload: string) =>
  `{"schema":{"type":"int32","optional":false},"payload":${payload}}`;
const order = (payload: string) =>
  `{"schema":{"type":"struct","fields":[{"type":"string","optional":false,"field":"id"}],"optional":false},"payload":${payload}}`;
const step = (type: string, settings: Readonly<Record<string, string>>) => ({
  transforms: "s",
  "transforms.s.type": `${transforms}.${type}`,
  ...Object.fromEntries(
    Object.entries(settings).map(([key, text]) => [`transforms.s.${key}`, text]),
  ),
});
const strings = { "value.converter": "org.apache.kafka.connect.storage.StringConverter" };

const cases: readonly Case[] = [
  {
    name: "not-json",
    config: plain,
    good: '{"n":1}',
    bad: "{broken",
    says: ["converting the value of", json, "serialization error"],
  },
  {
    name: "no-envelope",
    config: withSchemas,
    good: integer("1"),
    bad: '{"n":1}',
    says: ["converting the value of", json, '"schema" and "payload" fields'],
  },
  {
    name: "contradiction",
    config: withSchemas,
    good: order('{"id":"a"}'),
    bad: order('{"id":null}'),
    says: ["converting the value of", json, "Invalid null value for required STRING field"],
  },
  {
    name: "wrong-type",
    config: { ...plain, ...step("Cast$Value", { spec: "n:int8" }) },
    good: '{"n":"1"}',
    bad: '{"n":"many"}',
    says: ["transforming", `${transforms}.Cast$Value`, "Value (many) was out of range"],
  },
  {
    name: "no-field",
    config: { ...withSchemas, ...step("ExtractField$Value", { field: "id" }) },
    good: order('{"id":"a"}'),
    bad: integer("1"),
    says: ["transforming", `${transforms}.ExtractField$Value`, "Only Struct objects supported"],
  },
  {
    name: "unknown-field",
    config: { ...withSchemas, ...step("ExtractField$Value", { field: "absent" }) },
    good: '{"schema":{"type":"struct","fields":[{"type":"string","optional":false,"field":"absent"}],"optional":false},"payload":{"absent":"a"}}',
    bad: order('{"id":"a"}'),
    says: ["transforming", `${transforms}.ExtractField$Value`, "Unknown field: absent"],
  },
  {
    name: "big-key",
    config: strings,
    good: "small",
    bad: { key: Buffer.alloc(10 * kib * kib, "k"), value: "v" },
    says: ["converting the value of", "more than a message to the plugin may carry"],
  },
  {
    name: "many-headers",
    config: strings,
    good: "few",
    bad: { headerCount: 100_000, value: "v" },
    says: ["more than"],
  },
  {
    name: "too-many-headers",
    config: strings,
    good: "few",
    bad: { headerCount: 1_001, value: "v" },
    says: ["the record has 1001 headers, more than the 1000 that a plugin takes"],
  },
];

describe("records that no pipeline can take", () => {
  let directory = "";
  let host: HostProcess;
  const cleanups: (() => Promise<void>)[] = [];

  before(async () => {
    directory = await temporaryDirectory({ after: (work) => cleanups.push(work) });
    await writeInputs(directory);
    await writeFile(join(directory, "bystander.in"), "first\n");
    host = await startHost({
      directory,
      connectors: [...bystanders(directory), ...cases.flatMap((one) => sinksOf(one, directory))],
    });
  });

  after(async () => {
    host?.kill();
    for (const cleanup of cleanups) await cleanup();
  });

  for (const { name, says, good } of cases) {
    test(`${name}: a connector that tolerates it goes on behind it, and every record is counted`, async () => {
      const metrics = await settled(host, `${name}-all`);
      assert.equal(metrics["sink-record-read-total"], 3);
      assert.equal(metrics["sink-record-send-total"], 2);
      assert.equal(metrics["total-records-skipped"], 1);
      await waitFor(async () => (await linesOf(join(directory, `${name}-all.out`))).length === 2, {
        withinMs: 30_000,
        what: `both good records of ${name}, such as ${good}`,
      });
    });

    test(`${name}: a connector that tolerates nothing says which record, what and why`, async () => {
      const trace = await traceOf(host, `${name}-none`);
      const [line = ""] = trace.split("\n");
      for (const text of [`the record ${name}-0@1`, ...says]) assert.ok(line.includes(text), line);
      assert.ok(/; .+/.test(line), `it says what to do: ${line}`);
    });
  }

  test("all the while the other connectors worked, and the host ends well", async () => {
    await appendFile(join(directory, "bystander.in"), "last\n");
    await waitFor(
      async () => (await linesOf(join(directory, "bystander.out"))).join() === "first,last",
      { withinMs: 30_000, what: "the bystanders' lines" },
    );
    assert.equal(await host.stop(), 0);
  });
});

function bystanders(directory: string) {
  const file = "org.apache.kafka.connect.file.FileStream";
  return [
    {
      name: "bystander-source",
      "connector.class": `${file}SourceConnector`,
      file: join(directory, "bystander.in"),
      topic: "bystander",
    },
    {
      name: "bystander-sink",
      "connector.class": `${file}SinkConnector`,
      file: join(directory, "bystander.out"),
      topics: "bystander",
    },
  ];
}

function sinksOf({ name, config }: Case, directory: string) {
  const common = {
    "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
    topics: name,
    ...config,
  };
  const own = (policy: string) => ({
    ...{ name: `${name}-${policy}`, file: join(directory, `${name}-${policy}.out`) },
    ...common,
  });
  return [{ ...own("all"), "errors.tolerance": "all" }, own("none")];
}

/** In each topic a good record, a bad one, a good one. */
async function writeInputs(directory: string): Promise<void> {
  const kafka = await openEmbedded({ directory: join(directory, "log") });
  const config = { "max.request.size": String(64 * kib * kib) };
  const producer = kafka.producer({ clientId: "inputs", config });
  const failures: Error[] = [];
  const receipt = {
    stored: () => {},
    failed: (_1: unknown, _2: unknown, _3: unknown, error: Error) => failures.push(error),
  };
  const record = newRecordSlice();
  for (const { name, good, bad } of cases) {
    for (const value of [{ value: good }, typeof bad === "string" ? { value: bad } : bad]) {
      fill(record, name, value);
      producer.send(record, receipt, 0);
      await producer.flush();
    }
    fill(record, name, { value: good });
    producer.send(record, receipt, 0);
  }
  await producer.close(30_000);
  assert.deepEqual(failures, []);
  await kafka.close();
}

function fill(
  record: RecordSlice,
  topic: string,
  { key, headerCount = 0, value }: { key?: Buffer; headerCount?: number; value: string },
): void {
  record.topic = topic;
  Object.assign(record.key, {
    bytes: key ?? noBytes,
    start: key === undefined ? -1 : 0,
    end: key?.length ?? -1,
  });
  const bytes = Buffer.from(value);
  Object.assign(record.value, { bytes, start: 0, end: bytes.length });
  record.headerCount = headerCount;
  const header = { name: Buffer.from("h"), bytes: Buffer.from("x"), start: 0, end: 1 };
  record.headers = Array.from({ length: headerCount }, () => header);
}

async function settled(host: HostProcess, connector: string): Promise<Record<string, number>> {
  let metrics: Record<string, number> = {};
  await waitFor(
    async () => {
      const task = (await host.tasks()).find((one) => one.connector === connector);
      metrics = { ...task?.metrics };
      const { "sink-record-send-total": sent = 0, "total-records-skipped": skipped = 0 } = metrics;
      return sent + skipped >= 3;
    },
    { withinMs: 60_000, what: `${connector} to have taken three records` },
  );
  return metrics;
}

async function traceOf(host: HostProcess, connector: string): Promise<string> {
  let trace = "";
  await waitFor(
    async () => {
      const { body } = await host.request("GET", `/connectors/${connector}/status`);
      trace = body.tasks?.[0]?.trace ?? "";
      return body.tasks?.[0]?.state === "FAILED";
    },
    { withinMs: 60_000, what: `${connector} to fail` },
  );
  return trace;
}

async function linesOf(path: string): Promise<string[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "");
}
