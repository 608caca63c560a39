/** From a plugin's batches to the producer, record by record, and what becomes of those that fail. */
import { errorHint, errorLine, RecordError, TaskError } from "../base/error.ts";
import { RowRecords } from "../convert/row-record.ts";
import type { Producer, Receipt } from "../kafka/kafka.ts";
import type { Failure } from "../plugin/plugin.ts";
import { parseExactJson } from "../record/exact-json.ts";
import { javaClassOfError } from "../record/java-error.ts";
import { javaString } from "../record/java-string.ts";
import { RecordRow } from "../record/record-row.ts";
import { newRecordSlice } from "../record/record-slice.ts";
import { shownRecord } from "../transform/shown-record.ts";
import type { BatchInFlight, FailedRun, InFlight } from "./in-flight.ts";
import type { FailedRecord, RecordFailures, RecordStep } from "./record-failures.ts";
import { sourcePlaceOf } from "./source-offsets.ts";
import { produceStep, type SourceWay } from "./source-way.ts";
import type { TaskMeter } from "./task.ts";
import type { TopicCreation } from "./topic-creation.ts";

/** What the next record of a batch waits for: a topic that may have to be made, or another try. */
export type SendWait =
  | { readonly for: "topic"; readonly topic: string }
  | { readonly for: "retry"; readonly afterMs: number };

export class SourceRecords {
  readonly #way: SourceWay;
  readonly #failures: RecordFailures;
  readonly #inFlight: InFlight;
  readonly #meter: TaskMeter;
  readonly #topics: Pick<TopicCreation, "isKnown"> | undefined;
  readonly #record = newRecordSlice();
  readonly #row = new RecordRow();
  #batch: BatchInFlight | undefined;
  /** The row has no outcome yet. */
  #isHeld = false;
  #isSending = false;

  /** `topics`: undefined where nobody has to make them first. */
  constructor(
    way: SourceWay,
    failures: RecordFailures,
    inFlight: InFlight,
    meter: TaskMeter,
    topics: Pick<TopicCreation, "isKnown"> | undefined,
  ) {
    this.#topics = topics;
    this.#way = way;
    this.#failures = failures;
    this.#inFlight = inFlight;
    this.#meter = meter;
  }

  /** Begins with a batch that is in flight; `send` its records. */
  begin(batch: BatchInFlight): void {
    this.#batch = batch;
    this.#row.reset(batch.columns);
    this.#isHeld = false;
    this.#way.begin(batch.columns, batch.definitions);
  }

  /** To be called before each `send`; false when the signal fired before all is ready. */
  async prepare(signal: AbortSignal): Promise<boolean> {
    return (await this.#way.prepare?.(signal)) ?? true;
  }

  /**
   * Sends the batch's records from where it stands. Undefined: all have been sent or left out; else what
   * the next one waits for.
   * @throws TaskError for a record whose failure ends the task; those before it are sent
   */
  send(producer: Producer, receipt: Receipt): SendWait | undefined {
    for (;;) {
      try {
        return this.#sendAll(producer, receipt);
      } catch (error) {
        const afterMs = this.#failed(error);
        if (afterMs !== undefined) return { for: "retry", afterMs };
        this.#isHeld = false;
      }
    }
  }

  #sendAll(producer: Producer, receipt: Receipt): SendWait | undefined {
    const row = this.#row;
    const record = this.#record;
    while (this.#isHeld || row.next()) {
      this.#isHeld = true;
      this.#isSending = false;
      if (this.#way.fill(row, record)) {
        if (this.#topics?.isKnown(record.topic) === false) {
          return { for: "topic", topic: record.topic };
        }
        this.#isSending = true;
        producer.send(record, receipt, row.index);
      } else this.#drop(row.index);
      this.#isHeld = false;
    }
    return undefined;
  }

  #drop(index: number): void {
    this.#meter.recordsFilteredTotal += 1;
    this.#inFlight.filtered((this.#batch as BatchInFlight).batchSeq, index);
  }

  #failed(error: unknown): number | undefined {
    const step = this.#isSending ? produceStep : this.#way.step;
    const batch = this.#batch as BatchInFlight;
    const record = failedRecord(batch, this.#row);
    if (this.#isSending && error instanceof RecordError && !this.#failures.isTolerant) {
      this.#failures.count();
      throw produceFailed(error);
    }
    const afterMs = this.#failures.decide(step, error, record);
    if (afterMs !== undefined) return afterMs;
    const run = failedRun(step, error);
    this.#inFlight.failed(batch.batchSeq, this.#row.index, run, this.#isSending);
    return undefined;
  }

  /**
   * The log did not take these records of a batch that is in flight, and the connector tolerates it: they
   * are reported and have their outcome.
   */
  refused(
    batch: BatchInFlight,
    indexes: readonly number[],
    from: number,
    to: number,
    error: Error,
  ): void {
    const row = new RecordRow();
    row.reset(batch.columns);
    const run = failedRun(produceStep, error);
    for (let at = from; at < to; at += 1) {
      const index = indexes[at] as number;
      if (row.index > index) row.reset(batch.columns);
      while (row.index < index) row.next();
      this.#failures.leaveOut(produceStep, error, failedRecord(batch, row));
      this.#inFlight.failed(batch.batchSeq, index, run, true);
    }
  }
}

/** Connect's words for a record that the log does not take. */
export function produceFailed(cause: unknown): TaskError {
  const message = "Unrecoverable exception from producer send callback";
  return new TaskError("task.produce_failed", message, { cause });
}

/** What the plugin hears of a record that the task went on without. */
function failedRun({ stage }: RecordStep, error: unknown): FailedRun {
  const failure: Failure = {
    code: "data",
    class: "data",
    text: errorLine(error),
    hint: errorHint(error) ?? "",
    exceptionClass: javaClassOfError(error),
    stack: "",
    causes: [],
  };
  return { count: 1, outcome: "failed", stage, failure };
}

function failedRecord(batch: BatchInFlight, row: RecordRow): FailedRecord {
  const { columns, definitions, offsetMode } = batch;
  const place = () => sourcePlaceOf(columns, definitions, offsetMode, row.index);
  return {
    letter: () => sourceLetter(batch, row, place()),
    logText: () => {
      const source = { partition: shownJson(place().partition), offset: shownJson(place().offset) };
      return `, where source record is = ${shownRow(batch, row, source)}`;
    },
  };
}

/** The bytes are those that the plugin sent: there is no record of Kafka's yet. */
function sourceLetter(
  { definitions }: BatchInFlight,
  row: RecordRow,
  place: ReturnType<typeof sourcePlaceOf>,
): ReturnType<FailedRecord["letter"]> {
  const { arena, index } = row;
  const part = (start: number, end: number) => (start < 0 ? null : arena.subarray(start, end));
  const headers: { name: Uint8Array; value: Uint8Array | null }[] = [];
  row.firstHeader();
  while (row.nextHeader()) {
    const name = Buffer.from(definitions.names[row.headerName] ?? "", "utf8");
    headers.push({ name, value: part(row.headerStart, row.headerEnd) });
  }
  return {
    original: null,
    source: { topic: definitions.topics[row.topicId] ?? "", place, index },
    timestampMs: row.hasTimestamp ? row.timestampMs() : -1,
    key: part(row.keyStart, row.keyEnd),
    value: part(row.valueStart, row.valueEnd),
    headers,
  };
}

/** As Java shows a map; where the batch alone has offsets, a record has none to show. */
function shownJson(text: string | null): string {
  if (text === null) return "null";
  try {
    return javaString(null, parseExactJson(text));
  } catch {
    return text;
  }
}

function shownRow(
  { definitions }: BatchInFlight,
  row: RecordRow,
  source: { readonly partition: string; readonly offset: string },
): string {
  try {
    return shownRecord(new RowRecords().read(row, definitions), source);
  } catch {
    // Its own bytes are what failed.
    return `SourceRecord{sourcePartition=${source.partition}, sourceOffset=${source.offset}}`;
  }
}
