/**
 * What becomes of a record from the log that cannot be converted for the plugin, by the connector's
 * `errors.*`: its dead letter, its line in the log, and whether the task goes on without it.
 */
import type { RecordCursor } from "../batch/decode.ts";
import type { TopicPartition } from "../kafka/kafka.ts";
import { type DeadLetter, letterErrorOf } from "./dead-letter.ts";
import type { DeadLetterQueue } from "./dead-letter-queue.ts";
import { logFailure } from "./failure-log.ts";
import type { TaskParts, TaskSpec } from "./task.ts";

/** A step that reads records from the log, under Connect's name. */
export type ReadStage = "KEY_CONVERTER" | "VALUE_CONVERTER" | "HEADER_CONVERTER";

const uses = {
  KEY_CONVERTER: "key",
  VALUE_CONVERTER: "value",
  HEADER_CONVERTER: "header",
} as const;

export class SinkFailures {
  readonly #spec: TaskSpec;
  readonly #parts: TaskParts;
  readonly #queue: DeadLetterQueue | undefined;
  readonly #isTolerant: boolean;

  constructor(spec: TaskSpec, parts: TaskParts, queue: DeadLetterQueue | undefined) {
    this.#spec = spec;
    this.#parts = parts;
    this.#queue = queue;
    this.#isTolerant = spec.connectorConfig["errors.tolerance"]?.trim().toLowerCase() === "all";
  }

  /** I7: every failure is counted and reported here, whatever becomes of the task. True: left out. */
  leaveOut(
    { topic, partition }: TopicPartition,
    cursor: RecordCursor,
    stage: ReadStage,
    error: unknown,
  ): boolean {
    const { meter } = this.#parts;
    meter.totalRecordFailures += 1;
    meter.totalRecordErrors += 1;
    const step = {
      stage,
      className: this.#parts.converterClasses[uses[stage]],
      original: { topic, partition, offset: cursor.offset },
    };
    logFailure(this.#spec, this.#parts, step, { ...step, ...timeOf(cursor) }, error);
    this.#queue?.write(letterOf(cursor, step, error));
    if (this.#isTolerant) meter.totalRecordsSkipped += 1;
    return this.#isTolerant;
  }

  /** I5: asked before each fetched batch, which is what may fail at once. */
  async room(signal: AbortSignal): Promise<void> {
    await this.#queue?.room(signal);
  }
}

function timeOf({ timestampMs, timestampType }: RecordCursor) {
  return { timestampMs, timestampType };
}

/** Its bytes are the cursor's, which is long enough for a letter that is written at once. */
function letterOf(
  cursor: RecordCursor,
  step: Pick<DeadLetter, "stage" | "className" | "original">,
  error: unknown,
): DeadLetter {
  const part = (bytes: Uint8Array, start: number, end: number) =>
    start < 0 ? null : bytes.subarray(start, end);
  return {
    ...step,
    timestampMs: cursor.timestampMs,
    key: part(cursor.bytes, cursor.keyStart, cursor.keyEnd),
    value: part(cursor.bytes, cursor.valueStart, cursor.valueEnd),
    headers: cursor.headers
      .slice(0, cursor.headerCount)
      .map(({ name, bytes, start, end }) => ({ name, value: part(bytes, start, end) })),
    error: letterErrorOf(error, step),
  };
}
