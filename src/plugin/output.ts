/**
 * What a plugin process says: its stdout, its stderr and its LogBatch messages, as lines of the
 * host's log. Every line names the plugin, its pid and its connector. Always read, never kept whole.
 */
import type { Readable } from "node:stream";
import type { Clock } from "../base/clock.ts";
import type { PinoLevel } from "../observe/log-level.ts";
import type { LogLevels } from "../observe/log-levels.ts";
import { type Logger, ungated } from "../observe/logger.ts";
import { type LogBatch, type LogEntry, LogLevel } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import { LineReader, printable } from "./line-reader.ts";
import { entryNames } from "./plugin-levels.ts";

export interface OutputOptions {
  logger: Logger;
  clock: Clock;
  /** Which of the plugin's own lines are wanted; they are judged one by one. */
  levels: LogLevels;
  plugin: string;
  /** Who lives in the process, at the time of the line. */
  connectors: () => readonly string[];
  lineBytesMax?: number;
  linesPerSecond?: number;
  linesBurst?: number;
}

const stderrLinesKept = 20;
const stderrCharsKept = 4_096;

export class PluginOutput {
  readonly #options: OutputOptions;
  readonly #budget: LineBudget;
  readonly #lastStderr: string[] = [];
  #logger: Logger;
  #unbound: Logger;
  /** As the two above, for lines that were judged: they pass whatever the level. */
  #open: Logger;
  #openUnbound: Logger;
  #boundTo: string | undefined;
  #summary: NodeJS.Timeout | undefined;

  constructor(options: OutputOptions) {
    this.#options = options;
    this.#logger = options.logger;
    this.#unbound = options.logger;
    this.#open = options.logger;
    this.#openUnbound = options.logger;
    this.#budget = new LineBudget(
      options.clock,
      options.linesPerSecond ?? 1_000,
      options.linesBurst ?? 2_000,
    );
  }

  /** The last lines of stderr, oldest first. */
  get lastStderr(): readonly string[] {
    return this.#lastStderr;
  }

  /** Whose lines these are. */
  identify(pid: number): void {
    this.#unbound = this.#options.logger.child({ plugin: this.#options.plugin, pid });
    this.#openUnbound = ungated(this.#unbound);
    this.#bind(this.#options.connectors());
  }

  /** Reads both streams to their ends. */
  capture(pid: number, stdout: Readable, stderr: Readable): void {
    this.identify(pid);
    this.#read(stdout, (text) => this.#line("info", "stdout", text));
    this.#read(stderr, (text) => {
      this.#remember(text);
      this.#line("warn", "stderr", text);
    });
  }

  take(batch: LogBatch): void {
    const { levels, plugin } = this.#options;
    const connectors = this.#options.connectors();
    const bound = this.#bound();
    for (const entry of batch.entries) {
      const level = pinoLevels.get(entry.level) ?? "info";
      // A plugin may name its own connectors only; another's log is not its to write.
      const own = connectors.includes(entry.connector);
      const names = entryNames(entry.logger, plugin, own ? [entry.connector] : connectors);
      if (level === "silent" || !levels.allows(names, level) || !this.#allowed()) continue;
      const logger = own ? this.#openUnbound : this.#open;
      logger[level](fieldsOf(entry, own), printable(cut(entry.text)));
    }
    if (batch.dropped > 0n) {
      bound.warn({ dropped: Number(batch.dropped) }, "the plugin dropped lines of its log");
    }
  }

  /** A logger whose lines name the plugin, the pid and the connectors of the process. */
  get logger(): Logger {
    return this.#bound();
  }

  /** Nothing more will come. */
  end(): void {
    clearTimeout(this.#summary);
    this.#tellDropped();
  }

  #read(stream: Readable, onLine: (text: string) => void): void {
    const lines = new LineReader(this.#options.lineBytesMax ?? lineBytesMax, onLine);
    stream.on("data", (chunk: Buffer) => lines.push(chunk));
    stream.on("end", () => lines.end());
    // The pipe of a killed process may break; its exit says all there is to say.
    stream.on("error", () => {});
  }

  #line(level: "info" | "warn", stream: string, text: string): void {
    if (this.#allowed()) this.#bound()[level]({ stream }, text);
  }

  #remember(text: string): void {
    this.#lastStderr.push(text.slice(0, stderrCharsKept));
    let chars = 0;
    for (const line of this.#lastStderr) chars += line.length;
    while (this.#lastStderr.length > stderrLinesKept || chars > stderrCharsKept) {
      chars -= (this.#lastStderr.shift() as string).length;
    }
  }

  /** I5: a flood is counted and told once a second. */
  #allowed(): boolean {
    if (this.#budget.take()) return true;
    this.#summary ??= setTimeout(() => this.#tellDropped(), 1_000).unref();
    return false;
  }

  #tellDropped(): void {
    this.#summary = undefined;
    const dropped = this.#budget.takeDropped();
    if (dropped > 0) this.#bound().warn({ dropped }, "lines of the plugin's log were dropped");
  }

  #bound(): Logger {
    const connectors = this.#options.connectors();
    if (connectors.join("\n") !== this.#boundTo) this.#bind(connectors);
    return this.#logger;
  }

  #bind(connectors: readonly string[]): void {
    this.#boundTo = connectors.join("\n");
    const [connector, ...others] = connectors;
    if (connector === undefined) {
      this.#logger = this.#unbound;
      this.#open = this.#openUnbound;
      return;
    }
    const about = others.length === 0 ? { connector } : { connectors };
    this.#logger = this.#unbound.child(about);
    this.#open = this.#openUnbound.child(about);
  }
}

const lineBytesMax = 16 * 1_024;

/** I5: so many lines a second, with a burst. */
export class LineBudget {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #burst: number;
  #left: number;
  #filledMs: number;
  #dropped = 0;

  constructor(clock: Clock, perSecond: number, burst: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#left = burst;
    this.#filledMs = clock.elapsedMs();
  }

  /** Whether one more line may pass. */
  take(): boolean {
    const nowMs = this.#clock.elapsedMs();
    const earned = ((nowMs - this.#filledMs) / 1_000) * this.#perSecond;
    this.#left = Math.min(this.#burst, this.#left + earned);
    this.#filledMs = nowMs;
    if (this.#left < 1) {
      this.#dropped += 1;
      return false;
    }
    this.#left -= 1;
    return true;
  }

  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }
}

const pinoLevels = new Map<LogLevel, PinoLevel>([
  [LogLevel.TRACE, "trace"],
  [LogLevel.DEBUG, "debug"],
  [LogLevel.INFO, "info"],
  [LogLevel.WARN, "warn"],
  [LogLevel.ERROR, "error"],
  [LogLevel.FATAL, "fatal"],
  [LogLevel.OFF, "silent"],
]);

/** The level a plugin shall log from, given pino's. */
export function levelToProto(level: string): LogLevel {
  return [...pinoLevels].find(([, name]) => name === level)?.[0] ?? LogLevel.INFO;
}

/** The plugin's own fields stay under one key: they cannot pass for the host's. */
function fieldsOf(entry: LogEntry, own: boolean): Record<string, unknown> {
  const fields: Record<string, unknown> = { pluginTimeMs: Number(entry.timeMs) };
  if (entry.logger !== "") fields["logger"] = cut(entry.logger);
  if (own) fields["connector"] = entry.connector;
  if (entry.task !== undefined) fields["task"] = entry.task;
  if (entry.exception !== "") fields["exception"] = cut(entry.exception);
  if (Object.keys(entry.fields).length > 0) {
    fields["fields"] = Object.fromEntries(
      Object.entries(entry.fields)
        .slice(0, 50)
        .map(([name, value]) => [cut(name), cut(value)]),
    );
  }
  return fields;
}

function cut(text: string): string {
  if (text.length <= lineBytesMax) return text;
  return `${text.slice(0, lineBytesMax)} … (${text.length - lineBytesMax} more characters)`;
}
