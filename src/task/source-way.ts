import { TaskError } from "../base/error.ts";
import type { Columns, Definitions } from "../record/columns.ts";
import type { RecordRow } from "../record/record-row.ts";
import type { RecordSlice } from "../record/record-slice.ts";
import type { RecordStep } from "./record-failures.ts";
import type { RecordConverters, TaskParts } from "./task.ts";

/** What a record meets between the plugin and the log, transforms apart. */
export type ConvertParts = RecordConverters & Pick<TaskParts, "topicsRefused">;

/** How a source's records become Kafka's: by bytes (`SourceLanes`) or by values (`SourceChain`). */
export interface SourceWay {
  /** Begins with a batch. */
  begin(columns: Columns, definitions: Definitions): void;
  /**
   * Where there is something to wait for: called before rows are filled, and again for a row that is to be
   * tried again. False when the signal fired before all are ready.
   */
  prepare?(signal: AbortSignal): Promise<boolean>;
  /**
   * Makes `record` what is to be stored of the row; its bytes are good until the next call. False: a
   * transform dropped it. The row may come again.
   * @throws RecordError, RetriableError for what the connector's `errors.*` decide; `step` was being done
   * @throws TaskError for what ends the task
   */
  fill(row: RecordRow, record: RecordSlice): boolean;
  readonly step: RecordStep;
}

/** What the way to the producer does after its converters, under the name that Connect's reports have. */
export const produceStep: RecordStep = {
  stage: "KAFKA_PRODUCE",
  className: "org.apache.kafka.connect.runtime.WorkerSourceTask",
};

/** @throws TaskError for a topic that is not a plugin's to write */
export function requireWritable(topic: string, refused: ReadonlySet<string>): void {
  if (!refused.has(topic)) return;
  throw new TaskError(
    "task.topic_refused",
    `cannot write a record to topic ${topic}: no connector may write to it`,
  );
}
