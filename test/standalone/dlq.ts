/** `bulkhead dlq` over a log: dead letters as a task writes them, shown, filtered and replayed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordError } from "../../src/base/error.ts";
import { RecordCursor } from "../../src/batch/decode.ts";
import type { Kafka } from "../../src/kafka/kafka.ts";
import { newRecordSlice } from "../../src/record/record-slice.ts";
import { type DeadLetter, fillDeadLetter, letterErrorOf } from "../../src/task/dead-letter.ts";
import { Commands } from "../harness/commands.ts";
import { temporaryDirectory } from "../harness/host-process.ts";

export interface DlqPlace {
  /** How the command finds the log; undefined: an embedded one in its folder. */
  readonly servers: () => Promise<string | undefined>;
  readonly nameOf: (name: string) => string;
  /** Nobody has it open but the caller. */
  readonly open: (directory: string) => Promise<Kafka>;
}

const atMs = Date.UTC(2026, 0, 31, 12);

export function testDlq({ servers, nameOf, open }: DlqPlace): void {
  test("dead letters are listed, shown, filtered and replayed", async (context) => {
    const directory = await temporaryDirectory(context);
    const commands = new Commands(directory, await servers());
    const [letters, orders] = [nameOf("letters"), nameOf("orders")];
    const dlq = (action: string, ...more: string[]) =>
      commands.run(["dlq", action, letters, ...more]);

    const kafka = await open(directory);
    const topic = { partitionCount: 1, replicationFactor: 1, config: {} };
    await kafka.admin.createTopic({ name: letters, ...topic });
    await kafka.admin.createTopic({ name: orders, ...topic });
    await writeLetters(kafka, letters, orders);
    await kafka.close();

    const listed = await dlq("list");
    assert.equal(listed.status, 0, listed.stderr);
    assert.match(listed.stdout, /^0-0 +2026-01-31T12:00:00.000Z .*@0 +VALUE_CONVERTER +DataExc/m);
    assert.match(listed.stdout, /^2 +TRANSFORMATION +DataException$/m);
    assert.ok(listed.stdout.endsWith(`4 dead letters in ${letters}, 4 wanted\n`), listed.stdout);

    const filtered = await dlq("list", "--stage", "transformation", "--message", "no", "--json");
    const found = filtered.stdout.trim().split("\n");
    assert.deepEqual(
      found.map((line) => JSON.parse(line)).map(({ offset, key }) => [offset, key]),
      [
        [1, "k1"],
        [2, "k2"],
      ],
    );
    const none = await dlq("list", "--since", "2026-01-31T12:00:00.004Z");
    assert.equal(none.stdout, `4 dead letters in ${letters}, 0 wanted\n`);

    const shown = await dlq("show", "0-1");
    assert.match(shown.stdout, /^class\.name +acme\.Step$/m);
    assert.match(shown.stdout, /^header h +own$/m);
    assert.match(shown.stdout, /^value +v1$/m);
    assert.match(shown.stdout, /\n\ttransforming the record .*-0@1 failed in acme\.Step: no 1; /);
    const missing = await dlq("show", "0-9");
    assert.deepEqual([missing.status, missing.stdout], [2, ""]);
    assert.match(missing.stderr, /cannot show the dead letter 0-9 .*: there is none/s);

    const dry = await dlq("replay", "--dry-run", "--limit", "1");
    assert.match(dry.stdout, new RegExp(`^0-0 .* to ${orders}\n$`));
    assert.match(dry.stderr, /^would replay 1 of 1 dead letters, .*--from 0-1$/m);

    const replayed = await dlq("replay", "--stage", "TRANSFORMATION", "--rate", "500");
    assert.equal(replayed.status, 0, replayed.stderr);
    const sums = "replayed 2 of 4 dead letters, 2 left out by filters, 0 failed";
    assert.equal(replayed.stderr, `${sums}; to go on: --from 0-4\n`);

    const ofSource = await dlq("replay", "--from", "0-3");
    assert.notEqual(ofSource.status, 0);
    assert.match(ofSource.stderr, /^replayed 0 of 1 .* 1 failed; to go on: --from 0-3$/m);
    assert.match(ofSource.stderr, /came from a source and was not converted/);
    const itself = await dlq("replay", "--to", letters);
    assert.match(itself.stderr, /cannot replay .* into itself/);

    const after = await open(directory);
    try {
      assert.deepEqual(await recordsOf(after, orders), [
        { key: "k1", value: "v1", timestampMs: atMs + 1, headers: ["h=own"] },
        { key: "k2", value: "v2", timestampMs: atMs + 2, headers: ["h=own"] },
      ]);
    } finally {
      await after.close();
    }
  });
}

/** Three of a sink's records, and one of a source's. */
async function writeLetters(kafka: Kafka, topic: string, original: string): Promise<void> {
  const producer = kafka.producer({ clientId: "letters" });
  const failures: Error[] = [];
  const receipt = {
    stored: () => {},
    failed: (_1: unknown, _2: unknown, _3: unknown, error: Error) => failures.push(error),
  };
  const record = newRecordSlice();
  record.topic = topic;
  for (const offset of [0, 1, 2, 3]) {
    const step = {
      stage: offset === 0 ? "VALUE_CONVERTER" : "TRANSFORMATION",
      className: "acme.Step",
      original: offset === 3 ? null : { topic: original, partition: 0, offset },
    };
    const letter: DeadLetter = {
      ...(offset === 3 ? { ...step, stage: "KEY_CONVERTER", source: sourceRecord } : step),
      timestampMs: atMs + offset,
      key: Buffer.from(`k${offset}`),
      value: Buffer.from(`v${offset}`),
      headers: [{ name: Buffer.from("h"), value: Buffer.from("own") }],
      error: letterErrorOf(new RecordError("convert.data_invalid", `no ${offset}`), step),
    };
    fillDeadLetter(record, letter, { connector: "c", task: 0 });
    producer.send(record, receipt, offset);
  }
  await producer.close(30_000);
  assert.deepEqual(failures, []);
}

const sourceRecord = {
  topic: "lines",
  place: { partition: '{"file":"a"}', offset: '{"at":1}' },
  index: 0,
};

async function recordsOf(kafka: Kafka, topic: string) {
  const reader = kafka.partitionReader({ clientId: "orders" });
  const records: { key: string; value: string; timestampMs: number; headers: string[] }[] = [];
  try {
    reader.assign([{ topic, partition: 0, offset: 0 }]);
    const [end = 0] = await kafka.admin.endOffsets([{ topic, partition: 0 }]);
    const cursor = new RecordCursor();
    for (let next = 0; next < end; ) {
      for (const fetched of await reader.poll(1_000)) {
        cursor.reset(fetched);
        while (cursor.next()) records.push(plain(cursor));
        next = fetched.nextOffset;
      }
    }
  } finally {
    await reader.close();
  }
  return records;
}

function plain(cursor: RecordCursor) {
  const text = (bytes: Uint8Array, start: number, end: number) =>
    Buffer.from(bytes.subarray(start, end)).toString();
  const { bytes, timestampMs } = cursor;
  return {
    key: text(bytes, cursor.keyStart, cursor.keyEnd),
    value: text(bytes, cursor.valueStart, cursor.valueEnd),
    timestampMs,
    headers: cursor.headers
      .slice(0, cursor.headerCount)
      .map((one) => `${Buffer.from(one.name)}=${text(one.bytes, one.start, one.end)}`),
  };
}
