/** What an earlier run left in the folder of a partition. */
import { readdir, rm, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "../observe/logger.ts";
import { walkBatches } from "./file-bytes.ts";
import { baseOffsetOf, Segment, withFile } from "./segment.ts";

/** The end of a file that compaction is still writing. */
export const unfinishedSuffix = ".cleaned";

export interface RecoveryOptions {
  directory: string;
  compacted: boolean;
  logger: Logger;
}

/**
 * The segments in order and the offset after the last whole record. Only the last segment is read: the
 * others were forced onto the disk before it was begun. What follows its last whole batch is cut off.
 */
export async function recoverSegments(
  options: RecoveryOptions,
): Promise<{ segments: Segment[]; endOffset: number }> {
  const segments = await findSegments(options.directory);
  if (options.compacted) await dropCovered(segments);
  const last = segments.at(-1);
  if (last === undefined) return { segments, endOffset: 0 };
  return { segments, endOffset: await cutTornEnd(last, options.logger) };
}

async function findSegments(directory: string): Promise<Segment[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const segments: Segment[] = [];
  for (const name of names) {
    if (name.endsWith(unfinishedSuffix)) await rm(join(directory, name), { force: true });
    const baseOffset = baseOffsetOf(name);
    if (baseOffset === undefined) continue;
    const { size, mtimeMs } = await stat(join(directory, name));
    segments.push(new Segment({ directory, baseOffset, sizeBytes: size, lastWriteMs: mtimeMs }));
  }
  return segments.sort((a, b) => a.baseOffset - b.baseOffset);
}

/** Compaction that was killed between putting the merged file in place and deleting what it merged. */
async function dropCovered(segments: Segment[]): Promise<void> {
  for (let n = 0; n + 1 < segments.length; n++) {
    const endOffset = await segments[n]!.endOffset();
    while (n + 1 < segments.length && segments[n + 1]!.baseOffset < endOffset) {
      await unlink(segments[n + 1]!.path);
      segments.splice(n + 1, 1);
    }
  }
}

async function cutTornEnd(segment: Segment, logger: Logger): Promise<number> {
  let endOffset = segment.baseOffset;
  segment.checked = true;
  if (segment.sizeBytes === 0) return endOffset;
  await withFile(segment.path, "r+", async (file) => {
    const options = { sizeBytes: segment.sizeBytes, check: true };
    const end = await walkBatches(file, options, (header, _, place) => {
      if (header.baseOffset < endOffset) return false;
      segment.index(header.baseOffset, place, place + header.end - header.start);
      endOffset = header.lastOffset + 1;
      return true;
    });
    if (end === segment.sizeBytes) return;
    const tornBytes = segment.sizeBytes - end;
    logger.warn(
      { file: segment.path, tornBytes, endOffset },
      `cut ${tornBytes} bytes of an unfinished write off ${segment.path}`,
    );
    await file.truncate(end);
    await file.datasync();
    segment.sizeBytes = end;
  });
  return endOffset;
}
