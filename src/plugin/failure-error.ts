import { TaskError } from "../base/error.ts";
import type { Failure } from "./plugin.ts";

/** A failed request as an error; the plugin's own stack becomes the trace that a status shows. */
export function failureError(doing: string, failure: Failure): TaskError {
  return new TaskError("plugin.request_failed", failure.text || `the plugin failed to ${doing}`, {
    trace: traceOf(failure),
    ...(failure.hint === "" ? {} : { hint: failure.hint }),
  });
}

function traceOf(failure: Failure): string {
  const { exceptionClass, text } = failure;
  const head = exceptionClass === "" ? text : `${exceptionClass}: ${text}`;
  const parts = [failure.stack === "" ? head : failure.stack];
  if (failure.stack !== "" && !failure.stack.includes(text)) parts.unshift(head);
  for (const cause of failure.causes) {
    const line = `Caused by: ${cause.exceptionClass}: ${cause.text}`;
    if (!parts.some((part) => part.includes(line))) parts.push(line);
  }
  return parts.join("\n");
}
