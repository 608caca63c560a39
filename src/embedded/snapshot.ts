/** A copy of what another process' embedded log holds just now, to look at while that one goes on. */
import { constants, copyFile, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { folderOfTopic } from "./topic-config.ts";

export interface Snapshot {
  readonly directory: string;
  remove(): Promise<void>;
}

/**
 * Copies the names and settings of all topics, and of some also their records, into a folder that
 * `openEmbedded` can open: a write that is under way is cut off there and not here. Where the file
 * system can share blocks, it does.
 */
export async function takeSnapshot(
  directory: string,
  topics: readonly string[] = [],
): Promise<Snapshot> {
  const copy = await mkdtemp(join(tmpdir(), "bulkhead-look-"));
  const remove = () => rm(copy, { recursive: true, force: true });
  try {
    const whole = new Set(topics.map(folderOfTopic));
    for (const path of await readdir(directory, { recursive: true })) {
      const folder = path.split(/[\\/]/)[1];
      const isWanted =
        path === "meta.json" || basename(path) === "topic.json" || whole.has(folder ?? "");
      if (isWanted && /\.(json|log)$/.test(path)) await copyIfThere(directory, copy, path);
    }
    return { directory: copy, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Retention and compaction may take a file away meanwhile. */
async function copyIfThere(from: string, to: string, path: string): Promise<void> {
  await mkdir(dirname(join(to, path)), { recursive: true });
  try {
    await copyFile(join(from, path), join(to, path), constants.COPYFILE_FICLONE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
