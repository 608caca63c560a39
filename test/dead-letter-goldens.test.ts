/**
 * Recorded scenarios of Apache Kafka Connect 4.1 with records that cannot be converted for a sink,
 * played to one real host over an embedded log: what arrives, what is committed, what is logged, and
 * the dead letters byte for byte. Of a stack trace only the first line is comparable.
 */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { RecordCursor } from "../src/batch/decode.ts";
import { openEmbedded } from "../src/embedded/embedded.ts";
import type { Kafka } from "../src/kafka/kafka.ts";
import { newRecordSlice } from "../src/record/record-slice.ts";
import {
  type HostProcess,
  repository,
  startHost,
  temporaryDirectory,
} from "./harness/host-process.ts";
import { waitFor } from "./harness/wait-for.ts";

type Hex = string | null;

interface Scenario {
  readonly id: string;
  readonly config: Readonly<Record<string, string>>;
  readonly input: readonly {
    readonly topic: string;
    readonly key: Hex;
    readonly value: Hex;
    readonly headers: readonly (readonly [string, Hex])[];
    readonly timestamp: number;
  }[];
  readonly task: { readonly state: string };
  readonly fileText: string;
  readonly offsets: {
    readonly body: { readonly offsets: readonly { readonly offset: { kafka_offset: number } }[] };
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

describe("records that a sink cannot read", () => {
  let directory = "";
  let log: readonly string[] = [];
  let kafka: Kafka;
  const cleanups: (() => Promise<void>)[] = [];

  before(async () => {
    directory = await temporaryDirectory({ after: (work) => cleanups.push(work) });
    await writeInputs(directory);
    const host = await startHost({
      directory,
      connectors: scenarios.map((each) => ({
        name: nameOf(each),
        ...each.config,
        file: join(directory, each.config["file"] ?? ""),
      })),
    });
    try {
      for (const each of scenarios) await allRead(host, each);
      assert.equal(await host.stop(), 0);
      log = [...host.log];
    } finally {
      host.kill();
    }
    kafka = await openEmbedded({ directory: join(directory, "log") });
  });

  after(async () => {
    await kafka?.close();
    for (const cleanup of cleanups) await cleanup();
  });

  for (const scenario of scenarios) {
    const name = nameOf(scenario);
    test(`${name}: the same records arrive, the same are committed past`, async () => {
      const text = await readFile(join(directory, scenario.config["file"] ?? ""), "utf8");
      assert.equal(text, scenario.fileText);
      const offsets = await kafka.admin.groupOffsets(`connect-${name}`);
      const wanted = scenario.offsets.body.offsets[0]?.offset.kafka_offset;
      assert.equal(offsets.find((one) => one.topic === name)?.offset, wanted);
    });

    test(`${name}: the same dead letters, and the same lines in the log`, async (t) => {
      const topic = scenario.config["errors.deadletterqueue.topic.name"];
      const letters = scenario.deadLetterQueue ?? [];
      if (topic !== undefined) {
        const got = await recordsOf(kafka, topic, letters.length, t);
        assert.deepEqual(got, letters.map(comparable));
      }
      for (const { logger, message } of scenario.log) {
        if (!/LogReporter|DeadLetterQueueReporter/.test(logger)) continue;
        const isThere = log.some(
          (line) => line.includes(message) || line.includes(escaped(message)),
        );
        assert.ok(isThere, `no line says ${message}`);
      }
    });
  }
});

function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** What is read is settled and committed when the host stops. */
async function allRead(host: HostProcess, scenario: Scenario): Promise<void> {
  await waitFor(
    async () => {
      const tasks = await host.tasks();
      const own = tasks.find((one) => one.connector === nameOf(scenario));
      return own?.metrics["sink-record-read-total"] === scenario.input.length;
    },
    { withinMs: 60_000, everyMs: 100, what: `${nameOf(scenario)} to be read` },
  );
}

async function writeInputs(directory: string): Promise<void> {
  const kafka = await openEmbedded({ directory: join(directory, "log") });
  const producer = kafka.producer({ clientId: "inputs" });
  const failures: Error[] = [];
  const receipt = {
    stored: () => {},
    failed: (_1: unknown, _2: unknown, _3: unknown, error: Error) => failures.push(error),
  };
  const slice = newRecordSlice();
  for (const { topic, key, value, headers, timestamp } of scenarios.flatMap(({ input }) => input)) {
    slice.topic = topic;
    slice.timestampMs = timestamp;
    Object.assign(slice.key, placed(key));
    Object.assign(slice.value, placed(value));
    slice.headerCount = headers.length;
    slice.headers = headers.map(([name, hex]) => ({ name: Buffer.from(name), ...placed(hex) }));
    producer.send(slice, receipt, 0);
  }
  await producer.flush();
  assert.deepEqual(failures, []);
  await kafka.close();
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

async function recordsOf(kafka: Kafka, topic: string, count: number, t: TestContext) {
  const reader = kafka.partitionReader({ clientId: "letters" });
  t.after(() => reader.close());
  reader.assign([{ topic, partition: 0, offset: 0 }]);
  const letters: ReturnType<typeof comparable>[] = [];
  const cursor = new RecordCursor();
  const hex = (bytes: Uint8Array, start: number, end: number) =>
    start < 0 ? null : Buffer.from(bytes.subarray(start, end)).toString("hex");
  const [end = 0] = await kafka.admin.endOffsets([{ topic, partition: 0 }]);
  assert.equal(end, count, `dead letters in ${topic}`);
  while (letters.length < end) {
    for (const fetched of await reader.poll(1_000)) {
      cursor.reset(fetched);
      while (cursor.next()) {
        const headers = cursor.headers
          .slice(0, cursor.headerCount)
          .map((one): [string, Hex] => [
            Buffer.from(one.name).toString(),
            hex(one.bytes, one.start, one.end),
          ]);
        const { bytes, timestampMs: timestamp } = cursor;
        const key = hex(bytes, cursor.keyStart, cursor.keyEnd);
        const value = hex(bytes, cursor.valueStart, cursor.valueEnd);
        letters.push(comparable({ timestamp, key, value, headers }));
      }
    }
  }
  return letters;
}
