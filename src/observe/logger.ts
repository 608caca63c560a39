/** The only importer of pino. Everything else logs through this type. */
import { type DestinationStream, type Logger as PinoLogger, pino } from "pino";
import { type LogLevels, logLevelsFrom } from "./log-levels.ts";
import type { LogRings } from "./log-rings.ts";
import { connectorsOf, type LoggerBindings, loggerNames } from "./logger-name.ts";
import { stdoutLines } from "./stdout-lines.ts";

export type Logger = PinoLogger;

export interface LoggerOptions {
  level?: string;
  destination?: DestinationStream;
  /** Levels that change while it runs; its own root level then counts. */
  levels?: LogLevels;
  /** Lines about a connector are kept there too. */
  rings?: LogRings;
}

/** The root of the host's loggers; parts bind themselves with `logger.child({ connector, task })`. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const levels = options.levels ?? logLevelsFrom(options.level ?? "info");
  const settings = {
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    onChild: (child: Logger) => join(child as NamedLogger, levels),
  };
  const out = options.destination ?? stdoutLines();
  const { rings } = options;
  const root = pino(settings, rings === undefined ? out : new RoutedLines(out, rings));
  levels.add(root, []);
  return root;
}

/** A logger that says nothing, for tests and short commands. */
export function silentLogger(): Logger {
  return pino({ level: "silent" });
}

/**
 * A logger whose lines have passed a check of their own: it writes all of them, as do its children,
 * whatever the levels are.
 */
export function ungated(logger: Logger): Logger {
  const open: NamedLogger = logger.child({});
  open[isUngated] = true;
  open.level = "trace";
  return open;
}

/** pino's own symbol: before each write it says who logs what. */
const wantsMetadata = Symbol.for("pino.metadata");
const names = Symbol("names");
const connectors = Symbol("connectors");
const isUngated = Symbol("ungated");

/** What children inherit from a logger, beside pino's own: its names and whom its lines are about. */
interface NamedLogger extends Logger {
  [names]?: readonly string[];
  [connectors]?: readonly string[];
  [isUngated]?: true;
}

/** Gives a new child the level of its names, and notes where its lines belong. */
function join(child: NamedLogger, levels: LogLevels): void {
  const bindings = child.bindings() as LoggerBindings;
  const about = connectorsOf(bindings);
  if (about.length > 0) child[connectors] = about;
  if (child[isUngated]) return;
  const found = loggerNames(bindings);
  const inherited = child[names] ?? [];
  if (found.join("\n") === inherited.join("\n")) return;
  child[names] = found;
  levels.add(child, found);
}

/**
 * A destination that also gives each line to the rings of its connectors. pino tells it who logs, so
 * that no line is parsed.
 */
class RoutedLines implements DestinationStream {
  readonly [wantsMetadata] = true;
  /** Set by pino before each write. */
  lastLevel = 0;
  lastObj: LoggerBindings = {};
  lastLogger: NamedLogger | undefined;
  readonly #out: DestinationStream;
  readonly #rings: LogRings;

  constructor(out: DestinationStream, rings: LogRings) {
    this.#out = out;
    this.#rings = rings;
  }

  write(line: string): void {
    this.#out.write(line);
    const { connector } = this.lastObj;
    if (typeof connector === "string") this.#rings.take(connector, this.lastLevel, line);
    else {
      for (const each of this.lastLogger?.[connectors] ?? none) {
        this.#rings.take(each, this.lastLevel, line);
      }
    }
  }
}

const none: readonly string[] = [];
