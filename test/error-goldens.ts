/**
 * Recorded scenarios of Apache Kafka Connect 4.1 with records that fail in a converter or a transform,
 * played to one real host over either form of the log: what arrives, what is committed, what is logged, and
 * the dead letters byte for byte. Of a stack trace only the first line is comparable.
 */
import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { RecordCursor } from "../src/batch/decode.ts";
import type { Kafka } from "../src/kafka/kafka.ts";
import { newRecordSlice } from "../src/record/record-slice.ts";
import {
  type HostProcess,
  repository,
  startHost,
  temporaryDirectory,
} from "./harness/host-process.ts";
import { inFolder, type LogPlace } from "./harness/log-place.ts";
import { waitFor } from "./harness/wait-for.ts";

type Hex = string | null;

interface InputRecord {
  readonly topic: string;
  readonly key: Hex;
  readonly value: Hex;
  readonly headers: readonly (readonly [string, Hex])[];
  readonly timestamp: number;
}

interface Scenario {
  readonly id: string;
  readonly config: Readonly<Record<string, string>>;
  /** Of a sink records, of a source lines of its file. */
  readonly input: readonly (string | InputRecord)[];
  readonly task: { readonly state: string };
  /** Of sinks. */
  readonly fileText?: string;
  /** Of sources. */
  readonly produced?: readonly { readonly key: Hex; readonly value: Hex }[];
  readonly offsets: {
    readonly body: {
      readonly offsets: readonly {
        readonly offset: { readonly kafka_offset?: number; readonly position?: number };
      }[];
    };
  };
  readonly deadLetterQueue?: readonly {
    readonly timestamp: number;
    readonly key: Hex;
    readonly value: Hex;
    readonly headers: readonly (readonly [string, Hex])[];
  }[];
  readonly log: readonly { readonly logger: string; readonly message: string }[];
}

const folder = join(repository, "test/goldens/errors");
const files = (await readdir(folder)).filter((name) => name.endsWith(".json"));
const scenarios: readonly Scenario[] = await Promise.all(
  files.map(async (name) => JSON.parse(await readFile(join(folder, name), "utf8"))),
);
const nameOf = ({ id }: Scenario) => id.replace("errors/", "");
const traceHeader = "__connect.errors.exception.stacktrace";

const isSource = ({ produced }: Scenario) => produced !== undefined;

/** `open`: the log of the host that had its files in this folder. */
export function testErrorGoldens(
  place: LogPlace,
  open: (directory: string) => Promise<Kafka>,
): void {
  let directory = "";
  let log: readonly string[] = [];
  let kafka: Kafka;
  const cleanups: (() => Promise<void>)[] = [];

  before(async () => {
    directory = await temporaryDirectory({ after: (work) => cleanups.push(work) });
    kafka = await open(directory);
    await writeInputs(directory, kafka);
    // An embedded log is one process's at a time.
    await kafka.close();
    const host = await startHost({
      directory,
      worker: await place.worker(directory),
      connectors: scenarios.map((each) => ({
        name: nameOf(each),
        ...each.config,
        file: join(directory, each.config["file"] ?? ""),
      })),
    });
    try {
      for (const each of scenarios) await played(host, each);
      assert.equal(await host.stop(), 0);
      log = [...host.log];
    } finally {
      host.kill();
    }
    kafka = await open(directory);
  });

  after(async () => {
    await kafka?.close();
    for (const cleanup of cleanups) await cleanup();
  });

  for (const scenario of scenarios) {
    const name = nameOf(scenario);
    test(`${name}: the same records arrive, the same are committed past`, async () => {
      const wanted = scenario.offsets.body.offsets.map(({ offset }) => offset);
      if (scenario.produced !== undefined) {
        const records = await readPartition(kafka, name, 0);
        const bytes = records.map(({ key, value }) => ({ key, value }));
        assert.deepEqual(
          bytes,
          scenario.produced.map(({ key, value }) => ({ key, value })),
        );
        // Over a cluster a standalone worker keeps them in a file.
        if (place === inFolder) assert.deepEqual(await sourceOffsetsOf(kafka, name), wanted);
        return;
      }
      const text = await readFile(join(directory, scenario.config["file"] ?? ""), "utf8");
      assert.equal(text, scenario.fileText);
      const offsets = await kafka.admin.groupOffsets(`connect-${name}`);
      const found = offsets.filter((one) => one.topic === name);
      assert.deepEqual(
        found.map(({ offset }) => ({ kafka_offset: offset })),
        wanted,
      );
    });

    test(`${name}: the same dead letters, and the same lines in the log`, async () => {
      const topic = scenario.config["errors.deadletterqueue.topic.name"];
      const letters = scenario.deadLetterQueue ?? [];
      if (topic !== undefined) {
        assert.deepEqual(await lettersIn(kafka, topic), letters.map(comparable));
      }
      for (const { logger, message } of scenario.log) {
        if (!/LogReporter|DeadLetterQueueReporter/.test(logger)) continue;
        const expected = withoutPlace(message, directory);
        const isThere = log.some((line) => {
          const got = withoutPlace(line, directory);
          return got.includes(expected) || got.includes(escaped(expected));
        });
        assert.ok(isThere, `no line says ${message}`);
      }
    });
  }
}

function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** What is not comparable of a line: where files are, when a source made a record. */
function withoutPlace(line: string, directory: string): string {
  return line.replaceAll(`${directory}/`, "").replaceAll(/timestamp=\d{13}, headers/g, "headers");
}

/** Waits until all records have their outcomes, which are committed when the host stops. */
async function played(host: HostProcess, scenario: Scenario): Promise<void> {
  const { input, task } = scenario;
  const name = nameOf(scenario);
  let outcomes = noOutcomes;
  await waitFor(
    async () => {
      const own = (await host.tasks()).find((one) => one.connector === name);
      if (task.state === "FAILED") return own?.state === "FAILED";
      outcomes = outcomesOf(scenario, own?.metrics ?? {});
      const { arrived, filtered, skipped } = outcomes;
      return own?.state === task.state && arrived + filtered + skipped >= input.length;
    },
    { withinMs: 60_000, everyMs: 100, what: `${name} to be through` },
  );
  if (task.state === "FAILED") return;
  // I7: the outcomes counted are the records counted.
  const arrived = scenario.produced?.length ?? linesIn(scenario.fileText ?? "");
  const { read, filtered, skipped, letters } = outcomes;
  const leftOut = filtered + skipped;
  assert.deepEqual(
    { read, arrived: outcomes.arrived, leftOut, letters },
    {
      read: input.length,
      arrived,
      leftOut: input.length - arrived,
      letters: scenario.deadLetterQueue?.length ?? 0,
    },
    name,
  );
}

const noOutcomes = { read: 0, arrived: 0, filtered: 0, skipped: 0, letters: 0 };

function outcomesOf(
  scenario: Scenario,
  metrics: Readonly<Record<string, number>>,
): typeof noOutcomes {
  const of = (name: string) => metrics[name] ?? 0;
  const ends = isSource(scenario)
    ? { read: of("source-record-poll-total"), arrived: of("source-record-write-total") }
    : { read: of("sink-record-read-total"), arrived: of("sink-record-send-total") };
  return {
    ...ends,
    filtered: of("records-filtered-total"),
    skipped: of("total-records-skipped"),
    letters: of("deadletterqueue-produce-requests"),
  };
}

function linesIn(text: string): number {
  return text.split("\n").length - 1;
}

/** The newest offset of each source partition of a connector, from Connect's offsets topic. */
async function sourceOffsetsOf(kafka: Kafka, connector: string): Promise<unknown[]> {
  const topic = "connect-offsets";
  const { partitionCount = 0 } = (await kafka.admin.describeTopic(topic)) ?? {};
  const found = new Map<string, unknown>();
  for (let partition = 0; partition < partitionCount; partition += 1) {
    for (const { key, value } of await readPartition(kafka, topic, partition)) {
      const [owner] = JSON.parse(Buffer.from(key ?? "", "hex").toString()) as [string];
      if (owner !== connector) continue;
      found.set(key ?? "", JSON.parse(Buffer.from(value ?? "", "hex").toString()));
    }
  }
  return [...found.values()];
}

async function writeInputs(directory: string, kafka: Kafka): Promise<void> {
  for (const name of scenarios.map(nameOf)) {
    const topic = { name, partitionCount: 1, replicationFactor: 1, config: {} };
    await kafka.admin.createTopic(topic);
  }
  for (const { config, input } of scenarios.filter(isSource)) {
    await writeFile(join(directory, config["file"] ?? ""), `${input.join("\n")}\n`);
  }
  const producer = kafka.producer({ clientId: "inputs" });
  const failures: Error[] = [];
  const receipt = {
    stored: () => {},
    failed: (_1: unknown, _2: unknown, _3: unknown, error: Error) => failures.push(error),
  };
  const slice = newRecordSlice();
  const records = scenarios.flatMap(({ input }) => input.filter((one) => typeof one !== "string"));
  for (const { topic, key, value, headers, timestamp } of records) {
    slice.topic = topic;
    slice.timestampMs = timestamp;
    Object.assign(slice.key, placed(key));
    Object.assign(slice.value, placed(value));
    slice.headerCount = headers.length;
    slice.headers = headers.map(([name, hex]) => ({ name: Buffer.from(name), ...placed(hex) }));
    producer.send(slice, receipt, 0);
  }
  await producer.close(30_000);
  assert.deepEqual(failures, []);
}

function placed(hex: Hex) {
  const bytes = Buffer.from(hex ?? "", "hex");
  return { bytes, start: hex === null ? -1 : 0, end: hex === null ? -1 : bytes.length };
}

/** A trace's frames are Java's there and ours here. */
function comparable(letter: NonNullable<Scenario["deadLetterQueue"]>[number]) {
  const { timestamp, key, value, headers } = letter;
  return {
    ...{ timestamp, key, value },
    headers: headers.map(([name, hex]) => {
      const text = hex === null ? null : Buffer.from(hex, "hex").toString();
      return [name, name === traceHeader ? text?.split("\n")[0] : text];
    }),
  };
}

async function lettersIn(kafka: Kafka, topic: string) {
  return (await readPartition(kafka, topic, 0)).map(comparable);
}

/** No records where the topic was never made. */
async function readPartition(kafka: Kafka, topic: string, partition: number) {
  if ((await kafka.admin.describeTopic(topic)) === undefined) return [];
  const reader = kafka.partitionReader({ clientId: "letters" });
  const records: Omit<InputRecord, "topic">[] = [];
  try {
    reader.assign([{ topic, partition, offset: 0 }]);
    const [end = 0] = await kafka.admin.endOffsets([{ topic, partition }]);
    const cursor = new RecordCursor();
    for (let next = 0; next < end; ) {
      for (const fetched of await reader.poll(1_000)) {
        cursor.reset(fetched);
        while (cursor.next()) records.push(recordAt(cursor));
        next = fetched.nextOffset;
      }
    }
  } finally {
    await reader.close();
  }
  return records;
}

function recordAt(cursor: RecordCursor): Omit<InputRecord, "topic"> {
  const hex = (bytes: Uint8Array, start: number, end: number) =>
    start < 0 ? null : Buffer.from(bytes.subarray(start, end)).toString("hex");
  const headers = cursor.headers
    .slice(0, cursor.headerCount)
    .map((one): [string, Hex] => [
      Buffer.from(one.name).toString(),
      hex(one.bytes, one.start, one.end),
    ]);
  const { bytes, timestampMs: timestamp } = cursor;
  const key = hex(bytes, cursor.keyStart, cursor.keyEnd);
  const value = hex(bytes, cursor.valueStart, cursor.valueEnd);
  return { timestamp, key, value, headers };
}
