/** What became of a record on its way through a task, as a text that can be compared. */
import assert from "node:assert/strict";
import { RecordError } from "../../src/base/error.ts";
import type { ByteSlice, RecordSlice } from "../../src/record/record-slice.ts";
import { newRecordSlice } from "../../src/record/record-slice.ts";
import { type DeadLetter, fillDeadLetter, letterErrorOf } from "../../src/task/dead-letter.ts";
import type { RecordStep } from "../../src/task/record-failures.ts";

/** `dropped`, or what begins with `kept`, `refused`. */
export type Outcome = string;

/** The outcome of a record that was taken: `kept` says what is left of it. */
export function outcomeOf(
  work: () => string | false,
  step: () => RecordStep,
  letter: () => Omit<DeadLetter, "stage" | "className" | "error">,
): Outcome {
  try {
    const kept = work();
    // What fails behind the chain is reported under the step that it stands at.
    return kept === false ? "dropped" : `kept ${kept} ${JSON.stringify(step())}`;
  } catch (error) {
    assert.ok(error instanceof RecordError, `another kind of error: ${(error as Error).stack}`);
    const { stage, className } = step();
    const failed = { ...letter(), stage, className };
    return `refused ${stage} ${letterText({ ...failed, error: letterErrorOf(error, failed) })}`;
  }
}

/** The dead letter, but for the frames of its trace. */
function letterText(letter: DeadLetter): string {
  const record = newRecordSlice();
  const trace = letter.error.trace.replace(/\n\tat .*/g, "");
  const sender = { connector: "c", task: 0 };
  fillDeadLetter(record, { ...letter, error: { ...letter.error, trace } }, sender);
  return recordText(record);
}

/** All of a record's bytes. */
export function recordText(record: RecordSlice): string {
  const { topic, partition, timestampMs, key, value } = record;
  const headers = record.headers
    .slice(0, record.headerCount)
    .map(({ name, ...slice }) => [Buffer.from(name).toString("latin1"), bytesText(slice)]);
  return JSON.stringify([topic, partition, timestampMs, bytesText(key), bytesText(value), headers]);
}

type Run = Pick<ByteSlice, "bytes" | "start" | "end"> & Partial<ByteSlice>;

function bytesText(run: Run): string | null {
  return wholeOf(run)?.toString("latin1") ?? null;
}

/** The bytes with what stands before and after them. */
export function wholeOf({ bytes, start, end, prefix, suffix }: Run): Buffer | null {
  if (start < 0) return null;
  const empty = Buffer.alloc(0);
  return Buffer.concat([prefix ?? empty, bytes.subarray(start, end), suffix ?? empty]);
}
