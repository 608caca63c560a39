/** The levels of a log: Connect's words, pino's words, and which is more severe. */

/** As Connect's REST API spells them; the most severe first. */
export type LevelName = "OFF" | "FATAL" | "ERROR" | "WARN" | "INFO" | "DEBUG" | "TRACE" | "ALL";

/** As pino spells them. */
export type PinoLevel = "silent" | "fatal" | "error" | "warn" | "info" | "debug" | "trace";

const pinoLevels: Readonly<Record<LevelName, PinoLevel>> = {
  OFF: "silent",
  FATAL: "fatal",
  ERROR: "error",
  WARN: "warn",
  INFO: "info",
  DEBUG: "debug",
  TRACE: "trace",
  ALL: "trace",
};

/** pino's numbers; a line of this severity or more is written. */
const severities: Readonly<Record<PinoLevel, number>> = {
  silent: Number.POSITIVE_INFINITY,
  fatal: 60,
  error: 50,
  warn: 40,
  info: 30,
  debug: 20,
  trace: 10,
};

/** In any case, as Connect takes it; undefined for a word that is no level. */
export function parseLevel(text: string): LevelName | undefined {
  const name = text.toUpperCase();
  return Object.hasOwn(pinoLevels, name) ? (name as LevelName) : undefined;
}

/** pino's word for one of Connect's. */
export function pinoLevel(name: LevelName): PinoLevel {
  return pinoLevels[name];
}

/** Connect's word for one of pino's; INFO for a word that is neither. */
export function levelName(pino: string): LevelName {
  return pino === "silent" ? "OFF" : (parseLevel(pino) ?? "INFO");
}

/** pino's number for its word. */
export function severity(level: PinoLevel): number {
  return severities[level];
}

/**
 * The level of a line about something that is tried again: silent while it may pass by itself, louder
 * as the pause grows.
 */
export function levelOfDelay(delayMs: number): "debug" | "info" | "warn" {
  if (delayMs < 1_000) return "debug";
  return delayMs < 4_000 ? "info" : "warn";
}
