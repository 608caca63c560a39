/** A source's records as its task would write them, taken from a task that runs for nothing else. */
import { isLate, TaskError } from "../base/error.ts";
import { isJson } from "../base/json-text.ts";
import { RowRecords } from "../convert/row-record.ts";
import type { ConnectorConfig, ProcessLease, SourceEvent, SourceStream } from "../plugin/plugin.ts";
import type { ConnectRecord } from "../record/connect-record.ts";
import { RecordRow } from "../record/record-row.ts";
import { type ByteSlice, newRecordSlice, type RecordSlice } from "../record/record-slice.ts";
import { writeRecord } from "../record/tagged-json.ts";
import { SourceChain } from "../task/source-chain.ts";
import { converterStep, SourceLanes } from "../task/source-lanes.ts";
import { sourcePlaceOf } from "../task/source-offsets.ts";
import type { ConvertParts, SourceWay } from "../task/source-way.ts";
import type { StagedStep } from "../task/stage-chain.ts";
import { StagedSource } from "../task/staged-source.ts";
import type { TaskLimits } from "../task/task.ts";
import { failureError } from "../task/task-failure.ts";
import type { PreviewChain } from "./preview-chain.ts";
import {
  failedAt,
  type RecordEnd,
  type SeenRecord,
  type SeenStep,
  stepThrough,
  type WrittenRecord,
} from "./preview-record.ts";

type Batch = Extract<SourceEvent, { at: "records" }>;

export interface SourcePreviewParts extends ConvertParts {
  readonly config: ConnectorConfig;
  /** A new one at each call: what one has learnt must not change what the other does. */
  readonly openChain: () => Promise<PreviewChain>;
}

/** Follows records on the way that tasks take them, and beside it step by step. */
export class SourcePreview {
  readonly #parts: SourcePreviewParts;
  readonly #steps: readonly StagedStep[];
  readonly #way: SourceWay;
  readonly #rows = new RowRecords();
  readonly #record = newRecordSlice();

  private constructor(parts: SourcePreviewParts, { steps }: PreviewChain, way: SourceWay) {
    this.#parts = parts;
    this.#steps = steps;
    this.#way = way;
  }

  /**
   * Makes the transforms at once, as a task does before it starts anything; the rest when its stream is open.
   * @throws as `openChain`
   */
  static async prepare(
    parts: SourcePreviewParts,
  ): Promise<(stream: Pick<SourceStream, "canonicalJson">) => SourcePreview> {
    const [shown, used] = [await parts.openChain(), await parts.openChain()];
    return ({ canonicalJson }) =>
      new SourcePreview(parts, shown, wayOf(parts, used, canonicalJson));
  }

  /** The batch's records, at most so many; none any more when the signal fires. @throws TaskError for what breaks the contract */
  async *records(
    batch: Batch,
    countMax: number,
    signal: AbortSignal,
  ): AsyncGenerator<SeenRecord, void> {
    const row = new RecordRow();
    row.reset(batch.columns);
    this.#way.begin(batch.columns, batch.definitions);
    if ((await this.#way.prepare?.(signal)) === false) return;
    for (let count = 0; count < countMax && row.next(); count += 1) {
      const seen = await this.#see(batch, row, signal);
      if (seen === undefined) return;
      yield seen;
    }
  }

  async #see(batch: Batch, row: RecordRow, signal: AbortSignal): Promise<SeenRecord | undefined> {
    const { columns, definitions, offsetMode } = batch;
    const read = sourcePlaceOf(columns, definitions, offsetMode, row.index);
    const place = { ...placeOf("partition", read.partition), ...placeOf("offset", read.offset) };
    const steps: SeenStep[] = [];
    const { config } = this.#parts;
    let record: ConnectRecord;
    let before: string;
    try {
      record = this.#rows.read(row, definitions);
      before = writeRecord(record);
    } catch (error) {
      const step = converterStep(this.#rows.part, this.#parts);
      return { place, before: null, steps, end: failedAt(step, error, config) };
    }
    const end = await stepThrough(this.#steps, record, steps, config, signal);
    if (end === undefined) return undefined;
    return { place, before, steps, end: end === "through" ? this.#convert(row) : end };
  }

  #convert(row: RecordRow): RecordEnd {
    const way = this.#way;
    try {
      way.fill(row, this.#record);
    } catch (error) {
      return failedAt(way.step, error, this.#parts.config);
    }
    return { at: "written", record: writtenRecord(this.#record) };
  }
}

function wayOf(parts: ConvertParts, { steps, staged }: PreviewChain, canonicalJson: boolean) {
  if (staged !== undefined) return new StagedSource(parts, staged);
  if (steps.length === 0) return new SourceLanes(parts, canonicalJson);
  return new SourceChain(
    parts,
    steps.map(({ step }) => step),
  );
}

/** On one line, and JSON even where the plugin's text is not. */
function placeOf(name: string, text: string | null): Record<string, string> {
  if (text === null) return {};
  return { [name]: isJson(text) ? text.replace(/[\n\r]+/g, " ") : JSON.stringify(text) };
}

function writtenRecord(record: RecordSlice): WrittenRecord {
  const { topic, partition, timestampMs, headers, headerCount } = record;
  return {
    topic,
    partition: partition < 0 ? null : partition,
    timestampMs: timestampMs < 0 ? null : timestampMs,
    key: bytesOf(record.key),
    value: bytesOf(record.value),
    headers: headers.slice(0, headerCount).map(({ name, bytes, start, end }) => ({
      name: Buffer.from(name).toString("utf8"),
      value: start < 0 ? null : Uint8Array.prototype.slice.call(bytes, start, end),
    })),
  };
}

function bytesOf({ bytes, start, end, prefix, suffix }: ByteSlice): Uint8Array | null {
  return start < 0 ? null : Buffer.concat([prefix, bytes.subarray(start, end), suffix]);
}

/** Why no more records were taken. */
export type TakingEnd = "enough" | "stopped" | "drained";

/**
 * Takes a task's batches until `take` has enough or the signal fires, then stops the task. Nothing is
 * acknowledged and nothing committed: to the source its records are in flight for ever.
 * @throws TaskError for what ends the task
 */
export async function takeBatches(
  stream: SourceStream,
  lease: ProcessLease,
  limits: Pick<TaskLimits, "windowRecords" | "windowBytes" | "stopMsMax">,
  take: (batch: Batch) => Promise<"more" | "enough">,
  signal: AbortSignal,
): Promise<TakingEnd> {
  let isGone = false;
  try {
    // What the contract lets a plugin send: less could keep it from sending a batch at all.
    stream.credit(limits.windowRecords, limits.windowBytes);
    for (;;) {
      const event = await nextUnless(stream, signal);
      if (event === "stopped") return "stopped";
      if (event === undefined) {
        isGone = true;
        throw new TaskError("plugin.gone", await stream.ended);
      }
      if (event.at === "drained") return "drained";
      if (event.at === "failed") throw failureError(event.failure);
      if (event.at === "checkpoint") continue;
      if ((await take(event)) === "enough") return "enough";
      stream.credit(Math.max(1, event.columns.count), event.sizeBytes);
    }
  } finally {
    if (!isGone) await stopTask(stream, lease, limits.stopMsMax);
  }
}

function nextUnless(
  stream: SourceStream,
  signal: AbortSignal,
): Promise<SourceEvent | undefined | "stopped"> {
  return new Promise((resolve, reject) => {
    const stop = () => resolve("stopped");
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
    stream
      .next()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", stop));
  });
}

/** What was shown stays true when the stop goes wrong: then the process is ended. */
async function stopTask(stream: SourceStream, lease: ProcessLease, stopMsMax: number) {
  try {
    await stream.stop(stopMsMax);
  } catch (error) {
    if (isLate(error)) await lease.condemn("the previewed task did not stop");
  }
}
