/** An error that says what the host shall do about it. Any other error thrown means: fail the task. */
export abstract class PluginError extends Error {
  /** What to do about it: one sentence for a person. */
  readonly hint: string;

  constructor(message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.hint = options.hint ?? "";
  }
}

/**
 * The same thing may be tried again. From a source: `read` is started again after a pause and finds
 * its way by `offset`. From a sink's `put`: the same records are put again after a pause.
 */
export class RetriableError extends PluginError {
  /** How long to wait; undefined = the SDK's own backoff. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    options: { cause?: unknown; hint?: string; retryAfterMs?: number } = {},
  ) {
    super(message, options);
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** A person has to change the config. Carries every problem found. */
export class ConfigError extends PluginError {
  readonly problems: readonly { key: string; message: string }[];

  constructor(
    message: string,
    options: {
      cause?: unknown;
      hint?: string;
      problems?: readonly { key: string; message: string }[];
    } = {},
  ) {
    super(message, options);
    this.problems = options.problems ?? [];
  }
}

/** A record's data cannot be used. */
export class DataError extends PluginError {}

/** The external system refused the credentials. */
export class AuthError extends PluginError {}

/** One record of a put that could not be stored: the record or its place in the batch. */
export interface RecordFault {
  record: { readonly index: number } | number;
  error: unknown;
}

/**
 * Thrown by `put`: these records are bad, all others of the batch are stored. The connector's error
 * policy decides whether they are skipped, written to a dead letter topic or fail the task.
 */
export class RecordErrors extends PluginError {
  readonly faults: readonly RecordFault[];

  constructor(faults: readonly RecordFault[]) {
    super(`${faults.length} record${faults.length === 1 ? "" : "s"} could not be stored`, {
      cause: faults[0]?.error,
    });
    this.faults = faults;
  }
}
