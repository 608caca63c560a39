import type { TaskMeter } from "./task.ts";

/** A task's counts under the attribute names of Connect's MBeans (source-, sink-, task-error-). */
export function taskMetrics(meter: TaskMeter): Readonly<Record<string, number>> {
  return {
    "source-record-poll-total": meter.sourceRecordPollTotal,
    "source-record-write-total": meter.sourceRecordWriteTotal,
    "sink-record-read-total": meter.sinkRecordReadTotal,
    "sink-record-send-total": meter.sinkRecordSendTotal,
    "total-record-failures": meter.totalRecordFailures,
    "total-record-errors": meter.totalRecordErrors,
    "total-records-skipped": meter.totalRecordsSkipped,
    "total-retries": meter.totalRetries,
    "total-errors-logged": meter.totalErrorsLogged,
    "last-error-timestamp": meter.lastErrorTimestamp,
    "records-filtered-total": meter.recordsFilteredTotal,
    "deadletterqueue-produce-requests": meter.deadLetterProduceRequests,
    "deadletterqueue-produce-failures": meter.deadLetterProduceFailures,
    "offset-commit-completion-total": meter.offsetCommitCompletionTotal,
    "offset-commit-skip-total": meter.offsetCommitSkipTotal,
  };
}
