import { TaskError } from "../base/error.ts";
import type { Failure, TaskStart } from "../plugin/plugin.ts";
import { hasErrantReporter } from "./dead-letter-settings.ts";
import type { TaskSpec } from "./task.ts";

/** What the plugin said of its failure, as the error that fails the task. */
export function failureError(failure: Failure): TaskError {
  return new TaskError("plugin.task_failed", failure.text, {
    trace: failureTrace(failure),
    ...(failure.hint === "" ? {} : { hint: failure.hint }),
  });
}

/** The plugin's own stack where it gave one; first line: class and sentence, as Java prints it. */
export function failureTrace(failure: Failure): string {
  const head =
    failure.exceptionClass === "" ? failure.text : `${failure.exceptionClass}: ${failure.text}`;
  const parts = [failure.stack === "" ? head : failure.stack];
  if (!parts[0]?.includes(failure.text)) parts.unshift(head);
  for (const cause of failure.causes) {
    const text = `Caused by: ${cause.exceptionClass}: ${cause.text}`;
    if (!parts.some((part) => part.includes(text))) parts.push(text);
  }
  if (failure.hint !== "") parts.push(`hint: ${failure.hint}`);
  return parts.join("\n");
}

/** The end of a sink task by something it was given, in Connect's words. */
export function unrecoverable(cause: unknown): TaskError {
  return new TaskError(
    "task.put_failed",
    "Exiting WorkerSinkTask due to unrecoverable exception.",
    { cause },
  );
}

/** A record failed where none may, in Connect's words. */
export function toleranceExceeded(cause: unknown): TaskError {
  return new TaskError("task.tolerance_exceeded", "Tolerance exceeded in error handler", { cause });
}

/** The start request of a task. */
export function taskStart(spec: TaskSpec): TaskStart {
  return {
    connector: spec.id.connector,
    task: spec.id.task,
    className: spec.className,
    taskClass: spec.taskClass,
    taskConfig: spec.taskConfig,
    connectorConfig: spec.connectorConfig,
    offsetFlushIntervalMs: spec.limits.offsetFlushIntervalMs,
    errantRecordReporter: spec.kind === "sink" && hasErrantReporter(spec.connectorConfig),
    startMsMax: spec.limits.startMsMax,
  };
}

/** The plugin's process or stream has ended. */
export function goneError(reason: string): TaskError {
  return new TaskError("plugin.gone", reason);
}
