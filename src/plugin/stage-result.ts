/** Reads a `StageResult` from the wire and checks it against the batch that it answers. */
import { type Columns, emptyColumns, sizeOf } from "../record/columns.ts";
import { decodeColumns, WireReader } from "./columns-decode.ts";
import { decodeMessage } from "./decode-message.ts";
import { columnsFromProto, failureOrUnnamed } from "./from-proto.ts";
import {
  StageMessageSchema,
  StageRunSchema,
  StageVerdict,
  type StageRun as WireRun,
} from "./gen/bulkhead/plugin/v1/stage_pb.ts";
import { limits } from "./limits.ts";
import { protocolError } from "./protocol-error.ts";
import type { StageOperation, StageRun } from "./stage-stream.ts";

/** A result, or one part of it, as it came. */
export interface WireStageResult {
  seq: number;
  runs: WireRun[];
  columns: Columns;
  more: boolean;
}

const resultTag = (8 << 3) | 2;

/** Is this StageMessage a result? Nothing else is looked at. */
export function isStageResult(message: Uint8Array): boolean {
  return message[0] === resultTag;
}

/** @throws TaskError `plugin.protocol_error` */
export function decodeStageResult(message: Uint8Array): WireStageResult {
  const reader = new WireReader(message, 0, message.length);
  reader.tag();
  const fields = reader.nested();
  if (!reader.done) return decodeSlowly(message);
  const result: WireStageResult = { seq: 0, runs: [], columns: emptyColumns(), more: false };
  let columnsSeen = false;
  while (!fields.done) {
    const tag = fields.tag();
    if (tag === ((1 << 3) | 0)) result.seq = fields.varint();
    else if (tag === ((2 << 3) | 2)) {
      const { bytes, at, end } = fields.nested();
      if (result.runs.length >= limits.batchRecordsMax) throw tooManyRuns();
      result.runs.push(decodeMessage(StageRunSchema, bytes.subarray(at, end)));
    } else if (tag === ((3 << 3) | 2)) {
      const columns = columnsSeen ? "irregular" : decodeColumns(fields.nested(), "stage");
      if (columns === "irregular") return decodeSlowly(message);
      columnsSeen = true;
      result.columns = columns;
    } else if (tag === ((4 << 3) | 0)) result.more = fields.varint() !== 0;
    else fields.skip(tag);
  }
  return result;
}

/** For a message in unusual pieces. */
function decodeSlowly(message: Uint8Array): WireStageResult {
  const { kind } = decodeMessage(StageMessageSchema, message);
  if (kind.case !== "result") throw protocolError("a message holds more than one kind");
  const { seq, runs, columns, more } = kind.value;
  if (runs.length > limits.batchRecordsMax) throw tooManyRuns();
  const own = columnsFromProto(columns);
  const none = emptyColumns();
  own.sourcePartitions = none.sourcePartitions;
  own.offsetSizes = none.offsetSizes;
  own.offsetArena = none.offsetArena;
  own.offsets = none.offsets;
  own.timestampTypes = none.timestampTypes;
  own.originalTopics = none.originalTopics;
  own.originalPartitions = none.originalPartitions;
  return { seq: Number(seq), runs, columns: own, more };
}

function tooManyRuns(): Error {
  return protocolError(`a result has more than ${limits.batchRecordsMax} runs`);
}

const verdicts: Readonly<Record<StageOperation, readonly StageVerdict[]>> = {
  apply: [StageVerdict.OK, StageVerdict.FILTERED, StageVerdict.FAILED],
  test: [StageVerdict.TRUE, StageVerdict.FALSE, StageVerdict.FAILED],
  "to connect": [StageVerdict.OK, StageVerdict.FAILED],
  "from connect": [StageVerdict.OK, StageVerdict.FAILED],
};

/**
 * The runs in the host's words; `answered` is how many records they are about, `ok` how many of those
 * are in the columns.
 * @throws TaskError `plugin.protocol_error` for a verdict that the operation does not have
 */
export function stageRuns(
  operation: StageOperation,
  wire: readonly WireRun[],
): { runs: StageRun[]; answered: number; ok: number } {
  let answered = 0;
  let ok = 0;
  const runs = wire.map(({ count, verdict, failure }): StageRun => {
    if (count === 0) throw protocolError("a run of a result has the count 0");
    if (!verdicts[operation].includes(verdict)) {
      throw protocolError(`a result of "${operation}" has the verdict ${verdictName(verdict)}`);
    }
    answered += count;
    if (verdict === StageVerdict.OK) ok += count;
    if (verdict === StageVerdict.FAILED) {
      return { count, verdict: "failed", failure: failureOrUnnamed(failure) };
    }
    return { count, verdict: verdictName(verdict).toLowerCase() as "ok" };
  });
  return { runs, answered, ok };
}

/**
 * A header converter answers every header of a record; `counts` are those of the batch, `first` is the place of
 * the runs' first record in it.
 * @throws TaskError `plugin.protocol_error`
 */
export function checkHeaderCounts(
  counts: Uint32Array,
  first: number,
  runs: readonly StageRun[],
  { headerCounts }: Columns,
): void {
  let asked = first;
  let came = 0;
  for (const { count, verdict } of runs) {
    for (let end = asked + count; asked < end; asked += 1) {
      if (verdict !== "ok") continue;
      const due = counts[asked] ?? 0;
      const has = headerCounts[came] ?? 0;
      came += 1;
      if (has === due) continue;
      throw protocolError(
        `a header converter answered ${due} headers of record ${asked} of its batch with ${has}`,
      );
    }
  }
}

function verdictName(verdict: StageVerdict): string {
  const found = Object.entries(StageVerdict).find(([, value]) => value === verdict);
  return found?.[0] ?? String(verdict);
}

/** What a batch costs: a source's offsets stay with the host. */
export function stageSizeOf(columns: Columns): number {
  return sizeOf(columns) - columns.offsetArena.length;
}
