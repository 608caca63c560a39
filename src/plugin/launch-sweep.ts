/**
 * I6: what a plugin started ends with it, also a daemon that left its process group and its parent
 * behind. Each launch has an id in its environment, which every child inherits; on Linux /proc shows
 * the environment of each of one's own processes. A child that was started with an environment
 * without the id is not found.
 */
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { type Deferred, deferred } from "../base/deferred.ts";
import type { Logger } from "../observe/logger.ts";

/** The variable that every plugin process and what it starts has. Its value is no secret. */
export const launchVariable = "BULKHEAD_LAUNCH_ID";

export function newLaunchId(): string {
  return randomUUID();
}

/** One look may miss a child that was being made; this many find no end of new ones. */
const passesMax = 20;
/** For a killed process to be gone. */
const passPauseMs = 10;
/** Files of /proc that are read at once. */
const readsAtOnce = 16;

/** One launch whose processes have to go. */
interface Wanted {
  readonly logger: Logger;
  readonly done: Deferred<void>;
  readonly told: Set<number>;
  passes: number;
}

/** Looks for what ended launches left behind; one look serves all that ended meanwhile. */
export class LaunchSweep {
  readonly #procFolder: string;
  readonly #wanted = new Map<string, Wanted>();
  #sweeping: Promise<void> | undefined;

  constructor(procFolder = "/proc") {
    this.#procFolder = procFolder;
  }

  /**
   * Kills every process of a launch, again until none is left, with a log line for each. Resolves when
   * a look has found none, or after so many looks that it was given up; never rejects. Where there is
   * no /proc it does nothing.
   */
  end(launchId: string, logger: Logger): Promise<void> {
    const known = this.#wanted.get(launchId);
    if (known !== undefined) return known.done.promise;
    const wanted: Wanted = { logger, done: deferred(), told: new Set(), passes: 0 };
    this.#wanted.set(launchId, wanted);
    this.#sweeping ??= this.#sweep();
    return wanted.done.promise;
  }

  /** Resolves when nothing is looked for any more. */
  async idle(): Promise<void> {
    await this.#sweeping;
  }

  async #sweep(): Promise<void> {
    while (this.#wanted.size > 0) {
      // Those that come while a look is under way get one of their own.
      const wanted = new Map(this.#wanted);
      const found = await this.#look(wanted);
      for (const [launchId, one] of wanted) {
        one.passes += 1;
        const left = found.get(launchId) ?? [];
        if (left.length > 0 && one.passes >= passesMax) {
          one.logger.error({ pids: left }, "processes that a plugin left behind do not end");
        } else if (left.length > 0) continue;
        this.#wanted.delete(launchId);
        one.done.resolve();
      }
      if (this.#wanted.size > 0) await wait(passPauseMs);
    }
    this.#sweeping = undefined;
  }

  /** Kills what it finds; answers the pids by launch. */
  async #look(wanted: ReadonlyMap<string, Wanted>): Promise<Map<string, number[]>> {
    const found = new Map<string, number[]>();
    const pids = await pidsOf(this.#procFolder);
    const next = pids[Symbol.iterator]();
    const reader = async () => {
      for (const pid of next) {
        const launchId = launchIdOf(await this.#read(pid, "environ"));
        const one = launchId === undefined ? undefined : wanted.get(launchId);
        if (launchId === undefined || one === undefined) continue;
        found.set(launchId, [...(found.get(launchId) ?? []), pid]);
        const command = programOf(await this.#read(pid, "cmdline"));
        if (!kill(pid) || one.told.has(pid)) continue;
        one.told.add(pid);
        one.logger.warn({ leftPid: pid, command }, "killed a process that a plugin left behind");
      }
    };
    await Promise.all(Array.from({ length: readsAtOnce }, reader));
    return found;
  }

  /** Empty for a process that is gone, a zombie, or another user's. */
  async #read(pid: number, name: string): Promise<string> {
    try {
      return await readFile(`${this.#procFolder}/${pid}/${name}`, "latin1");
    } catch {
      return "";
    }
  }
}

/** The same at once and without a log, for a host that is exiting. */
export function sweepNow(launchIds: ReadonlySet<string>): void {
  for (let passes = 0; passes < passesMax; passes += 1) {
    let found = 0;
    for (const pid of pidsNow()) {
      let environment = "";
      try {
        environment = readFileSync(`/proc/${pid}/environ`, "latin1");
      } catch {
        continue;
      }
      const launchId = launchIdOf(environment);
      if (launchId !== undefined && launchIds.has(launchId) && kill(pid)) found += 1;
    }
    if (found === 0) return;
  }
}

/** The launch id in an environment as /proc shows it: `NAME=value` texts, a zero behind each. */
export function launchIdOf(environment: string): string | undefined {
  const start = `${launchVariable}=`;
  const found = environment.split("\0").find((text) => text.startsWith(start));
  return found?.slice(start.length);
}

/** The program of a command line as /proc shows it. Arguments may hold secrets: they are left out. */
export function programOf(commandLine: string): string {
  return basename(commandLine.split("\0")[0] ?? "");
}

async function pidsOf(procFolder: string): Promise<number[]> {
  return numbersIn(await readdir(procFolder).catch(() => []));
}

function pidsNow(): number[] {
  try {
    return numbersIn(readdirSync("/proc"));
  } catch {
    return [];
  }
}

function numbersIn(names: readonly string[]): number[] {
  return names.filter((name) => /^[1-9]\d*$/.test(name) && name !== `${process.pid}`).map(Number);
}

function kill(pid: number): boolean {
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch {
    return false;
  }
}
