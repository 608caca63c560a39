/** Which levels a plugin process is told, of all that are set in the host. */
import { type PinoLevel, pinoLevel, severity } from "../observe/log-level.ts";
import type { LogLevels } from "../observe/log-levels.ts";
import { connectorLogger, isHostLogger, pluginLogger } from "../observe/logger-name.ts";

/**
 * By logger; "" is the root. Plugins know nothing of the names of connectors and plugins: a process
 * writes from the most talkative level of those who live in it, and the host leaves out what is too
 * much (`entryNames`).
 */
export function pluginLevels(
  levels: LogLevels,
  plugin: string,
  connectors: readonly string[],
): ReadonlyMap<string, PinoLevel> {
  const named = connectors.filter((name) => name !== "");
  const residents = named.length === 0 ? [[]] : named.map((name) => [name]);
  const roots = residents.map((names) => pinoLevel(levels.levelOf(entryNames("", plugin, names))));
  const root = roots.reduce((a, b) => (severity(a) <= severity(b) ? a : b));
  const told = new Map<string, PinoLevel>([["", root]]);
  for (const [name, { level }] of levels.list()) {
    if (name !== "root" && !isHostLogger(name)) told.set(name, pinoLevel(level));
  }
  return told;
}

/** The names that a line of a plugin is judged by, the one that counts most first. */
export function entryNames(
  logger: string,
  plugin: string,
  connectors: readonly string[],
): string[] {
  return [logger, ...connectors.map(connectorLogger), pluginLogger(plugin)];
}
