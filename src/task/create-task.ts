import { SinkTask } from "./sink-task.ts";
import { SourceTask } from "./source-task.ts";
import type { CreateTask, TaskMeter } from "./task.ts";

/** The one function that makes a shard from plain data and its neighbours. */
export const createTask: CreateTask = (spec, parts, target, onState) =>
  spec.kind === "source"
    ? new SourceTask(spec, parts, target, onState)
    : new SinkTask(spec, parts, target, onState);

/** All counts at zero. */
export function newTaskMeter(): TaskMeter {
  return {
    sourceRecordPollTotal: 0,
    sourceRecordWriteTotal: 0,
    sinkRecordReadTotal: 0,
    sinkRecordSendTotal: 0,
    totalRecordFailures: 0,
    totalRecordErrors: 0,
    totalRecordsSkipped: 0,
    totalRetries: 0,
    totalErrorsLogged: 0,
    lastErrorTimestamp: 0,
    recordsFilteredTotal: 0,
    deadLetterProduceRequests: 0,
    deadLetterProduceFailures: 0,
    offsetCommitCompletionTotal: 0,
    offsetCommitSkipTotal: 0,
  };
}
