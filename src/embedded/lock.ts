/** One host per folder: a file that names the process which holds it. */
import { randomUUID } from "node:crypto";
import { link, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "../base/error.ts";

interface Holder {
  pid: number;
  /** When the process started, as the system counts it; a reused pid has another. Null: not known. */
  startedAt: string | null;
}

export interface FolderLock {
  release(): Promise<void>;
}

/** I5: how often the lock of a dead process may be fought over. */
const triesMax = 5;

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
      await moveAway(path, `${mine}.dead`, found);
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

/** Takes a dead process' lock away; puts it back when it was another's after all. */
async function moveAway(path: string, aside: string, expected: string): Promise<void> {
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  if ((await readFile(aside, "utf8")) !== expected) await linked(aside, path);
  await rm(aside, { force: true });
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
    { hint: "Stop that host first, or give this one another folder in bootstrap.servers." },
  );
}
