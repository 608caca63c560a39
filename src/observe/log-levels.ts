/**
 * Which logger writes from which level on, changeable while the host runs. A level belongs to a name
 * and to all below it (`connector` to `connector.lines`); `root` to all that have none. Loggers take
 * part by what they are bound with (`loggerNames`), so that code that logs knows nothing of this. A
 * changed level is written into pino's loggers: a line that is not wanted costs a call of nothing.
 */
import { type Clock, systemClock } from "../base/clock.ts";
import { type LevelName, levelName, type PinoLevel, pinoLevel, severity } from "./log-level.ts";

/** One entry of `GET /admin/loggers`. */
export interface LoggerLevel {
  readonly level: LevelName;
  /** Milliseconds since the epoch; null until it is changed. */
  readonly lastModifiedMs: number | null;
}

/** A pino logger, as far as this file cares. */
export interface Leveled {
  level: string;
}

const rootName = "root";
/** I5 */
export const loggerNamesMax = 10_000;

export class LogLevels {
  readonly #clock: Clock;
  readonly #namesMax: number;
  readonly #set = new Map<string, LoggerLevel>();
  readonly #listeners = new Set<() => void>();
  #members: { readonly logger: WeakRef<Leveled>; readonly names: readonly string[] }[] = [];
  #sweepAt = 64;

  constructor(root: LevelName, clock: Clock = systemClock, namesMax = loggerNamesMax) {
    this.#clock = clock;
    this.#namesMax = namesMax;
    this.#set.set(rootName, { level: root, lastModifiedMs: null });
  }

  /** Those with a level of their own, by name; always with `root`. */
  list(): ReadonlyMap<string, LoggerLevel> {
    return new Map([...this.#set].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** What a logger writes from; undefined for a name that nobody has heard of. `root` in any case. */
  get(name: string): LoggerLevel | undefined {
    const key = canonical(name);
    const own = this.#set.get(key);
    if (own !== undefined || !this.#known().has(key)) return own;
    return { level: this.levelOf([key]), lastModifiedMs: null };
  }

  /**
   * As Connect: the level of every known logger whose name begins with this text (`root`: of all) and
   * of the one with exactly this name. Returns the names whose level is another one now, sorted;
   * undefined when there are too many names to remember one more.
   */
  set(name: string, level: LevelName): readonly string[] | undefined {
    const key = canonical(name);
    if (!this.#set.has(key) && this.#set.size >= this.#namesMax) return undefined;
    const among = [...this.#known().add(key)].filter(
      (each) => key === rootName || each.startsWith(key),
    );
    const changed = among.filter((each) => this.levelOf([each]) !== level).sort();
    const entry = { level, lastModifiedMs: this.#clock.nowMs() };
    for (const each of changed) {
      // What has no level of its own follows the name above it.
      if (each === key || this.#set.has(each) || !isBelow(each, key)) this.#set.set(each, entry);
    }
    // A level that it had from above is its own from now on.
    if (!this.#set.has(key)) this.#set.set(key, { level, lastModifiedMs: null });
    this.#apply();
    return changed;
  }

  /** Of a logger with these names, the one that counts most first. */
  levelOf(names: readonly string[]): LevelName {
    return (this.#nearest(names) ?? (this.#set.get(rootName) as LoggerLevel)).level;
  }

  /** Whether a logger with these names writes a line of this level. */
  allows(names: readonly string[], level: PinoLevel): boolean {
    return severity(level) >= severity(pinoLevel(this.levelOf(names)));
  }

  /** Keeps the level of a logger, for as long as somebody else holds the logger. */
  add(logger: Leveled, names: readonly string[]): void {
    this.#give(logger, names);
    this.#members.push({ logger: new WeakRef(logger), names });
    if (this.#members.length < this.#sweepAt) return;
    this.#members = this.#members.filter(({ logger }) => logger.deref() !== undefined);
    this.#sweepAt = Math.max(64, 2 * this.#members.length);
  }

  /** Called after each change; returns what ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #nearest(names: readonly string[]): LoggerLevel | undefined {
    if (this.#set.size === 1) return undefined;
    for (const name of names) {
      for (let at = name; at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf(".")))) {
        const found = at === rootName ? undefined : this.#set.get(at);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  #known(): Set<string> {
    const names = new Set(this.#set.keys());
    for (const member of this.#members) {
      if (member.logger.deref() !== undefined) for (const name of member.names) names.add(name);
    }
    return names;
  }

  #apply(): void {
    for (const { logger, names } of this.#members) {
      const alive = logger.deref();
      if (alive !== undefined) this.#give(alive, names);
    }
    for (const listener of this.#listeners) listener();
  }

  #give(logger: Leveled, names: readonly string[]): void {
    const level = pinoLevel(this.levelOf(names));
    if (logger.level !== level) logger.level = level;
  }
}

/** A tree whose root is at one of pino's levels. */
export function logLevelsFrom(pino: string, clock?: Clock): LogLevels {
  return new LogLevels(levelName(pino), clock);
}

function canonical(name: string): string {
  return name.toLowerCase() === rootName ? rootName : name;
}

function isBelow(name: string, above: string): boolean {
  return above === rootName || name.startsWith(`${above}.`);
}
