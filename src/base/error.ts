/**
 * Every error the host makes on purpose. The class answers what the caller will do, the code says
 * which fault it is, the cause says why. A message says what was being done to which thing, in lower
 * case and without a full stop, so that causes chain into one readable line (`errorLine`).
 */
import type { ErrorCode } from "./error-code.ts";

export interface HostErrorOptions {
  cause?: unknown;
  /** What to do about it: one sentence for a person. */
  hint?: string;
  /** The exception that Connect's own code throws here, where its users get to see the name. */
  javaClass?: string;
}

/** The common part of the errors below; thrown only as one of them. */
export abstract class HostError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly javaClass: string | undefined;

  constructor(code: ErrorCode, message: string, options: HostErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.hint = options.hint;
    this.javaClass = options.javaClass;
  }
}

/** The same step may be tried again, with backoff, until its budget ends. */
export class RetriableError extends HostError {}

/** One record is at fault: tolerate it, write it to the dead letters or fail the task, by policy. */
export class RecordError extends HostError {}

/** This task or connector fails; its status gets the trace. */
export class TaskError extends HostError {
  /** The trace that the status shows, where it is not made from this error (a plugin's own stack). */
  readonly trace: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: HostErrorOptions & { trace?: string } = {},
  ) {
    super(code, message, options);
    this.trace = options.trace;
  }
}

/** One thing wrong with a config. */
export interface ConfigProblem {
  key: string;
  message: string;
}

/** A person has to change the config. Carries every problem that was found, not only the first. */
export class ConfigError extends HostError {
  readonly problems: readonly ConfigProblem[];

  constructor(
    code: ErrorCode,
    message: string,
    options: HostErrorOptions & { problems?: readonly ConfigProblem[] } = {},
  ) {
    super(code, message, options);
    this.problems = options.problems ?? [];
  }
}

/** A request that cannot be served: not found, conflict, bad body. `status` is the HTTP status. */
export class RequestError extends HostError {
  readonly status: number;

  constructor(code: ErrorCode, message: string, options: HostErrorOptions & { status: number }) {
    super(code, message, options);
    this.status = options.status;
  }
}

/**
 * Another worker of the group has to do it: whoever took the request sends it on. Not a failure, as long as
 * somebody knows where to.
 */
export class ElsewhereError extends HostError {
  /** Where that worker's REST API is, with a slash at the end; undefined while nobody leads the group. */
  readonly url: string | undefined;

  constructor(message: string, url: string | undefined) {
    super("herder.elsewhere", message);
    this.url = url;
  }
}

/** This worker or generation no longer owns the thing: stop, do not retry. */
export class FencedError extends HostError {}

/** The error and its causes as one line: `cannot start task a-0: connection refused`. */
export function errorLine(error: unknown): string {
  const parts: string[] = [];
  let at: unknown = error;
  for (let depth = 0; at !== undefined && at !== null && depth < 10; depth += 1) {
    const text = at instanceof Error ? at.message : String(at);
    if (text !== "" && !parts.some((part) => part.includes(text))) parts.push(withoutColon(text));
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join(": ");
}

/** Some of Connect's own texts end with the colon that stands before the cause. */
function withoutColon(text: string): string {
  return text.replace(/:\s*$/, "");
}

/** What to do about it: the first hint among the error and its causes. */
export function errorHint(error: unknown): string | undefined {
  let at: unknown = error;
  for (let depth = 0; at instanceof Error && depth < 10; depth += 1) {
    if (at instanceof HostError && at.hint !== undefined) return at.hint;
    at = at.cause;
  }
  return undefined;
}

/** The stack of the error followed by those of its causes, as Java prints a chain. */
export function errorTrace(error: unknown): string {
  if (error instanceof TaskError && error.trace !== undefined) return error.trace;
  const parts: string[] = [];
  let at: unknown = error;
  for (let depth = 0; at !== undefined && at !== null && depth < 10; depth += 1) {
    const text = at instanceof Error ? (at.stack ?? at.message) : String(at);
    parts.push(depth === 0 ? text : `Caused by: ${text}`);
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join("\n");
}

/** A deadline passed, as against a stream or process that ended: only then is a process condemned. */
export function isLate(error: unknown): boolean {
  return error instanceof HostError && error.code === "plugin.request_timeout";
}
