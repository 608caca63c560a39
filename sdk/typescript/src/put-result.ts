import type { MessageInitShape } from "@bufbuild/protobuf";
import { toFailure } from "./failure.ts";
import {
  FailureClass,
  FailureCode,
  type RunSchema,
  Stage,
} from "./gen/bulkhead/plugin/v1/error_pb.ts";
import type { PutResultSchema } from "./gen/bulkhead/plugin/v1/sink_pb.ts";
import { RecordErrors, RetriableError } from "./plugin-error.ts";
import type { PutBatch } from "./put-batch.ts";
import { SinkRecord } from "./sink-record.ts";

/** How a put went. */
export type PutEnd = { at: "ok" } | { at: "discarded" } | { at: "threw"; error: unknown };

type PutResult = MessageInitShape<typeof PutResultSchema>;

const retryAfterMs = 1_000;

/** The answer to a put. A retry and a failure raise the epoch: what is on its way is sent again. */
export function putResult(
  batch: PutBatch,
  epoch: number,
  end: PutEnd,
): { case: "putResult"; value: PutResult } {
  const answer = (kind: NonNullable<PutResult["kind"]>, raise = 0) => ({
    case: "putResult" as const,
    value: { putSeq: BigInt(batch.putSeq), epoch: BigInt(epoch + raise), kind },
  });
  if (end.at === "ok") return answer({ case: "ok", value: {} });
  if (end.at === "discarded") return answer({ case: "discarded", value: {} });
  const { error } = end;
  if (error instanceof RetriableError) {
    const afterMs = BigInt(Math.round(error.retryAfterMs ?? retryAfterMs));
    return answer(
      { case: "retry", value: { retryAfterMs: afterMs, failure: toFailure(error) } },
      1,
    );
  }
  if (error instanceof RecordErrors) {
    const runs = runsOf(batch.count, error);
    if (runs !== undefined) return answer({ case: "runs", value: { runs } });
  }
  return answer({ case: "failure", value: toFailure(error) }, 1);
}

/** Undefined = a fault names no record of this batch. */
function runsOf(
  count: number,
  errors: RecordErrors,
): MessageInitShape<typeof RunSchema>[] | undefined {
  const faults = new Map<number, unknown>();
  for (const { record, error } of errors.faults) {
    const at = typeof record === "number" ? record : record.index;
    if (!Number.isInteger(at) || at < 0 || at >= count) return undefined;
    faults.set(at, error);
  }
  const runs: MessageInitShape<typeof RunSchema>[] = [];
  let next = 0;
  const stored = (end: number) => {
    if (end > next) {
      runs.push({ count: end - next, outcome: { kind: { case: "stored", value: {} } } });
    }
  };
  for (const at of [...faults.keys()].sort((a, b) => a - b)) {
    stored(at);
    const failure = toFailure(faults.get(at), { code: FailureCode.DATA, class: FailureClass.DATA });
    const value = { stage: Stage.TASK_PUT, failure };
    runs.push({ count: 1, outcome: { kind: { case: "failed", value } } });
    next = at + 1;
  }
  stored(count);
  return runs;
}

/** The records of a batch, decoded when they are looked at. */
export function recordsOf(batch: PutBatch): SinkRecord[] {
  const records = new Array<SinkRecord>(batch.count);
  for (let at = 0; at < batch.count; at += 1) records[at] = new SinkRecord(batch, at);
  return records;
}
