import type { RecordCursor } from "../batch/decode.ts";
import type { TopicPartition } from "../kafka/kafka.ts";
import type { RecordPlace } from "./dead-letter.ts";
import type { FailedRecord } from "./record-failures.ts";

/** The record that a cursor stands on, for reports of its failure. */
export function cursorRecord(
  { topic, partition }: TopicPartition,
  cursor: RecordCursor,
): FailedRecord {
  const { offset, timestampMs, timestampType } = cursor;
  const original = { topic, partition, offset };
  return {
    letter: () => ({
      original,
      timestampMs,
      key: part(cursor.bytes, cursor.keyStart, cursor.keyEnd),
      value: part(cursor.bytes, cursor.valueStart, cursor.valueEnd),
      headers: cursor.headers
        .slice(0, cursor.headerCount)
        .map(({ name, bytes, start, end }) => ({ name, value: part(bytes, start, end) })),
    }),
    logText: () => consumedText(original, timestampMs, timestampType),
  };
}

/** The bytes are the cursor's, which is long enough for a letter that is written at once. */
function part(bytes: Uint8Array, start: number, end: number): Uint8Array | null {
  return start < 0 ? null : bytes.subarray(start, end);
}

/** How the log names a record that a sink read; type 1 = CreateTime, 2 = LogAppendTime. */
export function consumedText(
  original: RecordPlace | null,
  timestampMs: number,
  timestampType: number,
): string {
  if (original === null) return "";
  const { topic, partition, offset } = original;
  const type = timestampType === 2 ? "LogAppendTime" : "CreateTime";
  return (
    `, where consumed record is {topic='${topic}', partition=${partition}, offset=${offset}, ` +
    `timestamp=${timestampMs}, timestampType=${type}}`
  );
}
