/**
 * Rewriting the closed segments of a compacted topic so that only the last record of each key is left,
 * at its offset. A record without a value stays for `delete.retention.ms`, so that readers learn of
 * it, and then goes too. Records without a key are kept.
 */
import { open, rename, rm, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "../base/write-durably.ts";
import { at, attribute, type BatchHeader, lengthOverhead } from "../batch/batch-header.ts";
import { compressBatch } from "../batch/compress-batch.ts";
import { codecOf } from "../batch/compression.ts";
import { crc32c } from "../batch/crc32c.ts";
import { RecordCursor } from "../batch/decode.ts";
import { openBatches } from "../batch/open-batches.ts";
import { writeInt32 } from "../batch/varint.ts";
import { rawBytes, walkBatches, writeFully } from "./file-bytes.ts";
import type { PartitionLog } from "./partition-log.ts";
import { unfinishedSuffix } from "./recovery.ts";
import { Segment, withFile } from "./segment.ts";

/** I5: new segments that one run looks at; the keys of these are what it holds in memory. */
const runBytesMax = 64 * 1024 * 1024;
/** Rewriting starts when this share of the closed segments has not been rewritten before. */
const dirtyShareMin = 0.5;

/** One run over one partition; true when there was something to do. */
export async function compact(log: PartitionLog, nowMs: number): Promise<boolean> {
  const segments = chooseSegments(log.closedSegments);
  if (segments.length === 0) return false;
  const lastOffsets = new Map<string, number>();
  for (const segment of segments) if (!segment.compacted) await noteKeys(segment, lastOffsets);
  const keeps = (cursor: RecordCursor) => isKept(cursor, lastOffsets, log, nowMs);
  for (const group of groupBySize(segments, log.config.segmentBytes)) {
    await rewrite(log, group, keeps);
  }
  return true;
}

/** The rewritten ones and as many new ones as a run may take; none when it is not worth it yet. */
function chooseSegments(closed: readonly Segment[]): Segment[] {
  const chosen: Segment[] = [];
  let newBytes = 0;
  let allBytes = 0;
  for (const segment of closed) {
    if (!segment.compacted && newBytes > 0 && newBytes + segment.sizeBytes > runBytesMax) break;
    if (!segment.compacted) newBytes += segment.sizeBytes;
    allBytes += segment.sizeBytes;
    chosen.push(segment);
  }
  return newBytes > 0 && newBytes >= allBytes * dirtyShareMin ? chosen : [];
}

async function noteKeys(segment: Segment, lastOffsets: Map<string, number>): Promise<void> {
  const cursor = new RecordCursor();
  await eachBatch(segment, (batch) => {
    cursor.reset({ batches: batch.opened, firstOffset: 0 });
    while (cursor.next()) if (cursor.keyStart >= 0) lastOffsets.set(keyOf(cursor), cursor.offset);
  });
}

function isKept(
  cursor: RecordCursor,
  lastOffsets: ReadonlyMap<string, number>,
  log: PartitionLog,
  nowMs: number,
): boolean {
  if (cursor.keyStart < 0) return true;
  const lastOffset = lastOffsets.get(keyOf(cursor));
  if (lastOffset !== undefined && lastOffset > cursor.offset) return false;
  return cursor.valueStart >= 0 || cursor.timestampMs >= nowMs - log.config.deleteRetentionMs;
}

function keyOf({ bytes, keyStart, keyEnd }: RecordCursor): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + keyStart, keyEnd - keyStart).toString(
    "latin1",
  );
}

/** Neighbours that fit into one segment become one, so that files do not only get smaller. */
function groupBySize(segments: readonly Segment[], segmentBytes: number): Segment[][] {
  const groups: Segment[][] = [];
  let bytes = 0;
  for (const segment of segments) {
    if (groups.length === 0 || bytes + segment.sizeBytes > segmentBytes) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)!.push(segment);
    bytes += segment.sizeBytes;
  }
  return groups;
}

/**
 * The new file is whole on the disk before it takes the name of the first old one. Killed after that
 * and before the other old ones are deleted, recovery sees that they are covered.
 */
async function rewrite(
  log: PartitionLog,
  group: readonly Segment[],
  keeps: (cursor: RecordCursor) => boolean,
): Promise<void> {
  const first = group[0]!;
  const directory = dirname(first.path);
  const path = first.path + unfinishedSuffix;
  const last = group.at(-1)!;
  const { baseOffset } = first;
  const rewritten = new Segment({ directory, baseOffset, lastWriteMs: last.lastWriteMs });
  try {
    const file = await open(path, "w");
    try {
      for (const segment of group) {
        await eachBatch(segment, async (batch) => {
          const kept = await keptBatch(batch, keeps);
          if (kept === undefined) return;
          await writeFully(file, kept, rewritten.sizeBytes);
          const end = rewritten.sizeBytes + kept.length;
          rewritten.index(batch.header.baseOffset, rewritten.sizeBytes, end);
          rewritten.sizeBytes = end;
        });
      }
      await file.datasync();
    } finally {
      await file.close();
    }
    rewritten.compacted = true;
    rewritten.checked = group.every((segment) => segment.checked);
    await log.replace(group, [rewritten], async () => {
      await rename(path, first.path);
      for (const segment of group.slice(1)) await unlink(segment.path);
      await syncFolder(directory);
    });
  } finally {
    await rm(path, { force: true });
  }
}

/** One batch of a segment. */
interface StoredBatch {
  readonly header: BatchHeader;
  readonly stored: Uint8Array;
  /** The same, decompressed where it has to be. */
  readonly opened: Uint8Array;
}

/** The batch with the records that are kept, as they stand; undefined when there are none. */
async function keptBatch(
  { header, stored, opened }: StoredBatch,
  keeps: (cursor: RecordCursor) => boolean,
): Promise<Uint8Array | undefined> {
  const kept = rawBytes(opened.length);
  const cursor = new RecordCursor();
  cursor.reset({ batches: opened, firstOffset: 0 });
  let size: number = at.records;
  let recordCount = 0;
  while (cursor.next()) {
    if (!keeps(cursor)) continue;
    kept.set(opened.subarray(cursor.recordStart, cursor.recordEnd), size);
    size += cursor.recordEnd - cursor.recordStart;
    recordCount += 1;
  }
  if (recordCount === 0) return undefined;
  if (recordCount === header.recordCount) return stored;
  kept.set(opened.subarray(0, at.records));
  writeInt32(kept, at.length, size - lengthOverhead);
  writeInt32(kept, at.recordCount, recordCount);
  writeInt32(kept, at.crc, crc32c(kept, at.attributes, size));
  const codec = codecOf(header.attributes & attribute.compression);
  const batch = kept.subarray(0, size);
  return codec === undefined ? batch : compressBatch(batch, { codec: codec.name });
}

async function eachBatch(
  segment: Segment,
  onBatch: (batch: StoredBatch) => void | Promise<void>,
): Promise<void> {
  const { sizeBytes, path } = segment;
  if (sizeBytes === 0) return;
  await withFile(path, "r", async (file) => {
    const end = await walkBatches(file, { sizeBytes, check: true }, async (header, bytes) => {
      const stored = bytes.subarray(header.start, header.end);
      const options = { source: path, firstOffset: 0, isChecked: true };
      const { batches: opened } = await openBatches(stored, options);
      await onBatch({ header, stored, opened });
      return true;
    });
    // What cannot be read must not be dropped: a damaged segment is left as it is.
    if (end < sizeBytes) throw new Error(`${path} is damaged at byte ${end}`);
  });
}
