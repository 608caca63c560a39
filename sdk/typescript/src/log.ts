import type { MessageInitShape } from "@bufbuild/protobuf";
import { type LogBatchSchema, LogLevel } from "./gen/bulkhead/plugin/v1/session_pb.ts";

export type LogLevelName = "trace" | "debug" | "info" | "warn" | "error" | "fatal";

/** An Error is written with its stack; any other object as fields. */
export type LogDetails = Error | Readonly<Record<string, unknown>>;

/** Writes to the host's log, with the connector and task it belongs to. */
export type Log = {
  readonly [level in LogLevelName]: (text: string, details?: LogDetails) => void;
};

/** Whom a line is about. */
export interface LogSubject {
  readonly logger: string;
  readonly connector?: string;
  readonly task?: number;
}

type LogBatch = MessageInitShape<typeof LogBatchSchema>;
type LogEntry = NonNullable<LogBatch["entries"]>[number];

const levels: Readonly<Record<LogLevelName, LogLevel>> = {
  trace: LogLevel.TRACE,
  debug: LogLevel.DEBUG,
  info: LogLevel.INFO,
  warn: LogLevel.WARN,
  error: LogLevel.ERROR,
  fatal: LogLevel.FATAL,
};
const entriesMax = 1_000;
const entriesPerBatch = 100;
const textCharsMax = 16 * 1024;

/** A bounded buffer of lines on their way to the host. What does not fit is dropped and counted. */
export class LogBuffer {
  #entries: LogEntry[] = [];
  #dropped = 0n;
  #scheduled = false;
  #send: ((batch: LogBatch) => boolean) | undefined;
  readonly #levels = new Map<string, LogLevel>([["", LogLevel.INFO]]);

  /** Lines go out from now on; `send` says false when it wants `flush` to be called later. */
  connect(send: (batch: LogBatch) => boolean): void {
    this.#send = send;
    this.flush();
  }

  /** The logger's name is a prefix up to a dot, as in Java; empty or `root` = all. */
  setLevel(logger: string, level: LogLevel): void {
    this.#levels.set(logger === "root" ? "" : logger, level);
  }

  log(subject: LogSubject): Log {
    const write = (level: LogLevelName) => (text: string, details?: LogDetails) =>
      this.#write(subject, level, text, details);
    return {
      trace: write("trace"),
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
      fatal: write("fatal"),
    };
  }

  flush(): void {
    this.#scheduled = false;
    while (this.#send !== undefined && (this.#entries.length > 0 || this.#dropped > 0n)) {
      const batch = { entries: this.#entries.splice(0, entriesPerBatch), dropped: this.#dropped };
      this.#dropped = 0n;
      if (!this.#send(batch)) return;
    }
  }

  #write(subject: LogSubject, name: LogLevelName, text: string, details?: LogDetails): void {
    const level = levels[name];
    if (level < this.#levelOf(subject.logger)) return;
    if (this.#entries.length >= entriesMax) {
      this.#dropped += 1n;
      return;
    }
    const { logger, connector = "", task } = subject;
    this.#entries.push({
      timeMs: BigInt(Date.now()),
      level,
      logger,
      text: cut(text),
      fields: details instanceof Error ? {} : fieldsOf(details),
      connector,
      ...(task === undefined ? {} : { task }),
      exception: details instanceof Error ? cut(details.stack ?? details.message) : "",
    });
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.flush());
  }

  #levelOf(logger: string): LogLevel {
    for (let name = logger; name !== ""; name = name.slice(0, Math.max(0, name.lastIndexOf(".")))) {
      const level = this.#levels.get(name);
      if (level !== undefined) return level;
    }
    return this.#levels.get("") ?? LogLevel.INFO;
  }
}

function cut(text: string): string {
  return text.length > textCharsMax ? `${text.slice(0, textCharsMax)}…` : text;
}

function fieldsOf(details: Readonly<Record<string, unknown>> | undefined): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [name, value] of Object.entries(details ?? {})) {
    fields[name] = cut(value instanceof Error ? (value.stack ?? value.message) : String(value));
  }
  return fields;
}
