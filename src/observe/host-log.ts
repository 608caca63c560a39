/** The whole log of a host: its loggers, their levels, and the last lines of each connector. */
import type { DestinationStream } from "pino";
import type { LogLevels } from "./log-levels.ts";
import { logLevelsFrom } from "./log-levels.ts";
import { LogRings } from "./log-rings.ts";
import { createLogger, type Logger } from "./logger.ts";
import { loadPrettyLine } from "./pretty-line.ts";
import { stdoutLines } from "./stdout-lines.ts";

export interface HostLog {
  readonly logger: Logger;
  readonly levels: LogLevels;
  readonly rings: LogRings;
}

/** `auto`: for people on a terminal, else JSON. */
export type LogFormat = "auto" | "json" | "pretty";

export interface HostLogOptions {
  /** pino's word; default info. */
  readonly level?: string;
  readonly format?: LogFormat;
  /** Default: stdout. */
  readonly destination?: DestinationStream;
}

/** Loads what writes for people only where it is wanted. */
export async function openHostLog(options: HostLogOptions = {}): Promise<HostLog> {
  const levels = logLevelsFrom(options.level ?? "info");
  const rings = new LogRings();
  const destination = await destinationOf(options);
  return { logger: createLogger({ levels, rings, destination }), levels, rings };
}

async function destinationOf(options: HostLogOptions): Promise<DestinationStream> {
  const { format = "auto", destination } = options;
  const isTerminal = destination === undefined && process.stdout.isTTY === true;
  const out = destination ?? stdoutLines();
  if (format === "json" || (format === "auto" && !isTerminal)) return out;
  const pretty = await loadPrettyLine({
    color: isTerminal && process.env["NO_COLOR"] === undefined,
  });
  return { write: (line) => void out.write(pretty(line)) };
}
