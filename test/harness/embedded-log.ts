/** Embedded logs in throw-away folders, and records in plain words. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { RecordCursor } from "../../src/batch/decode.ts";
import { type EmbeddedOptions, openEmbedded } from "../../src/embedded/embedded.ts";
import type { ClientConfig, Fetched, Kafka, Producer, StoredAt } from "../../src/kafka/kafka.ts";
import { newRecordSlice } from "../../src/record/record-slice.ts";

export interface PlainRecord {
  topic: string;
  partition?: number;
  key?: string | null;
  value?: string | null;
  timestampMs?: number;
}

/** A folder that is gone after the test. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "embedded-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A log that is closed after the test; in a new folder unless one is given. */
export async function openLog(
  t: TestContext,
  options: Partial<EmbeddedOptions> = {},
): Promise<Kafka> {
  const directory = options.directory ?? (await temporaryFolder(t));
  const kafka = await openEmbedded({ ...options, directory });
  t.after(() => kafka.close());
  return kafka;
}

/** What became of a record that was sent. */
export type Outcome = { at: StoredAt; offset: number } | { error: Error };

/** Sends all of them and waits; the outcomes stand in the order of the records. */
export async function produce(
  producer: Producer,
  records: readonly PlainRecord[],
): Promise<Outcome[]> {
  const slice = newRecordSlice();
  const outcomes: Outcome[] = [];
  const put = (index: number, outcome: Outcome) => {
    if (outcomes[index] !== undefined) throw new Error(`record ${index} has two outcomes`);
    outcomes[index] = outcome;
  };
  const receipt = {
    stored(indexes: readonly number[], from: number, to: number, at: StoredAt) {
      for (let n = from; n < to; n++) put(indexes[n]!, { at, offset: at.baseOffset + n - from });
    },
    failed(indexes: readonly number[], from: number, to: number, error: Error) {
      for (let n = from; n < to; n++) put(indexes[n]!, { error });
    },
  };
  for (const [n, record] of records.entries()) {
    slice.topic = record.topic;
    slice.partition = record.partition ?? -1;
    slice.timestampMs = record.timestampMs ?? -1;
    for (const part of ["key", "value"] as const) {
      const text = record[part] ?? null;
      const bytes = Buffer.from(text ?? "");
      Object.assign(slice[part], { bytes, start: text === null ? -1 : 0, end: bytes.length });
    }
    producer.send(slice, receipt, n);
  }
  await producer.flush();
  return outcomes;
}

/** Writes records of values to one topic and fails when one of them is not stored. */
export async function fill(
  kafka: Kafka,
  topic: string,
  values: readonly (string | [string, string | null])[],
  config: ClientConfig = {},
): Promise<void> {
  const producer = kafka.producer({ clientId: "fill", config });
  const records = values.map((each) =>
    typeof each === "string" ? { topic, value: each } : { topic, key: each[0], value: each[1] },
  );
  for (const outcome of await produce(producer, records)) {
    if ("error" in outcome) throw outcome.error;
  }
  await producer.close(5_000);
}

export interface ReadRecord {
  topic: string;
  partition: number;
  offset: number;
  key: string | null;
  value: string | null;
}

/** The records of what was fetched. */
export function recordsOf(fetched: readonly Fetched[]): ReadRecord[] {
  const cursor = new RecordCursor();
  const text = (start: number, end: number) =>
    start < 0 ? null : Buffer.from(cursor.bytes.subarray(start, end)).toString();
  return fetched.flatMap((each) => {
    const records: ReadRecord[] = [];
    cursor.reset(each);
    while (cursor.next()) {
      records.push({
        topic: each.topic,
        partition: each.partition,
        offset: cursor.offset,
        key: text(cursor.keyStart, cursor.keyEnd),
        value: text(cursor.valueStart, cursor.valueEnd),
      });
    }
    if (records.length !== each.recordCount) throw new Error("recordCount is not what was read");
    return records;
  });
}

/** Everything from an offset to the end that the partition has now. */
export async function readAll(
  kafka: Kafka,
  topic: string,
  { partition = 0, from = 0 } = {},
): Promise<ReadRecord[]> {
  const [end] = await kafka.admin.endOffsets([{ topic, partition }]);
  const reader = kafka.partitionReader({ clientId: "read-all" });
  reader.assign([{ topic, partition, offset: from }]);
  const records: ReadRecord[] = [];
  const deadlineMs = performance.now() + 20_000;
  for (let next = from; next < end!; ) {
    const fetched = await reader.poll(1_000);
    records.push(...recordsOf(fetched));
    next = fetched.at(-1)?.nextOffset ?? next;
    if (performance.now() > deadlineMs) throw new Error(`read no further than ${next} of ${end}`);
  }
  await reader.close();
  return records;
}
