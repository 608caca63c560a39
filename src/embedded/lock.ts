/** One host per folder: a file that names the process which holds it. */
import { randomUUID } from "node:crypto";
import { link, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ConfigError } from "../base/error.ts";

interface Holder {
  pid: number;
  /** When the process started, as the system counts it; a reused pid has another. Null: not known. */
  startedAt: string | null;
}

export interface FolderLock {
  release(): Promise<void>;
}

/** I5: how often, and how long, the lock of a dead process may be fought over. */
const triesMax = 50;
const tryAgainMs = 20;

/**
 * Takes the folder for this process. The lock of a process that has died is taken over.
 * @throws ConfigError `embedded.folder_locked` that names the folder and the holder's pid.
 */
export async function lockFolder(directory: string): Promise<FolderLock> {
  const path = join(directory, "lock");
  const mine = `${path}.${process.pid}.${randomUUID()}`;
  const text = JSON.stringify(await holderOf(process.pid));
  await writeWhole(mine, text);
  try {
    for (let tries = 0; tries < triesMax; tries++) {
      if (await linked(mine, path)) return { release: () => releaseIfMine(path, text) };
      const found = await readFile(path, "utf8").catch(() => undefined);
      if (found === undefined) continue;
      const holder = parseHolder(found);
      if (holder !== undefined && (await isAlive(holder))) throw lockedError(directory, holder.pid);
      if (await takeOver(path, mine, found)) return { release: () => releaseIfMine(path, text) };
      await sleep(tryAgainMs);
    }
    throw lockedError(directory, undefined);
  } finally {
    await rm(mine, { force: true });
  }
}

/** The process as a lock names it. */
export async function holderOf(pid: number): Promise<Holder> {
  return { pid, startedAt: await startOf(pid) };
}

/** A link appears whole or not at all, so nobody reads half a lock. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/**
 * Puts our lock in the place of a dead process' one. Only one process at a time may do so, and only
 * while the lock is still the one that was found: else two that saw the same dead lock could both
 * believe that they replaced it. False when another was faster.
 */
async function takeOver(path: string, mine: string, found: string): Promise<boolean> {
  const guard = `${path}.takeover`;
  if (!(await linked(mine, guard))) {
    await refuseDeadGuard(guard);
    return false;
  }
  try {
    if ((await readFile(path, "utf8").catch(() => undefined)) !== found) return false;
    const fresh = `${mine}.fresh`;
    await link(mine, fresh);
    await rename(fresh, path);
    return true;
  } finally {
    await rm(guard, { force: true });
  }
}

/** It exists for a moment only; one whose maker died in that moment is a person's to judge. */
async function refuseDeadGuard(guard: string): Promise<void> {
  const text = await readFile(guard, "utf8").catch(() => undefined);
  const holder = text === undefined ? undefined : parseHolder(text);
  if (holder === undefined || (await isAlive(holder))) return;
  throw new ConfigError(
    "embedded.folder_locked",
    `cannot use the embedded log: process ${holder.pid} died while it took over its lock`,
    { hint: `make sure that no host uses the folder, then delete ${guard}` },
  );
}

async function releaseIfMine(path: string, text: string): Promise<void> {
  const found = await readFile(path, "utf8").catch(() => undefined);
  if (found === text) await rm(path, { force: true });
}

async function isAlive(holder: Holder): Promise<boolean> {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const startedAt = await startOf(holder.pid);
  return startedAt === null || holder.startedAt === null || startedAt === holder.startedAt;
}

/** The boot and the tick since it at which the process started; null where the system has no /proc. */
async function startOf(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8");
    // The name of the program, in brackets, may hold blanks and brackets; 20 fields follow it.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return `${boot.trim()}/${fields[19]}`;
  } catch {
    return null;
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Holder;
    return Number.isInteger(holder.pid) && holder.pid > 0 ? holder : undefined;
  } catch {
    return undefined;
  }
}

async function writeWhole(path: string, text: string): Promise<void> {
  const file = await open(path, "wx");
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
}

function lockedError(directory: string, pid: number | undefined): ConfigError {
  const holder = pid === process.pid ? "this process" : `process ${pid ?? "unknown"}`;
  return new ConfigError(
    "embedded.folder_locked",
    `cannot use ${directory} for the embedded log: ${holder} is using it`,
    { hint: "stop that host first, or give this one another folder in bootstrap.servers" },
  );
}
