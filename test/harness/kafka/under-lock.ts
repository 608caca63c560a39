/** One process of this machine at a time. */
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive } from "../processes.ts";

/** Works while it holds the lock file; waits for whoever has it, and takes over from one that died. */
export async function underLock(file: string, work: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await writeFile(file, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (!(await isHeld(file))) await rm(file, { force: true });
    await sleep(100);
  }
  try {
    await work();
  } finally {
    await rm(file, { force: true });
  }
}

async function isHeld(file: string): Promise<boolean> {
  try {
    const pid = Number(await readFile(file, "utf8"));
    // Empty for the instant between its creation and its first byte.
    if (pid === 0) return Date.now() - (await stat(file)).mtimeMs < 2_000;
    return isAlive(pid);
  } catch {
    return false;
  }
}
