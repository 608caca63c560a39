/** Reading on in the segments of a partition. */
import { TaskError } from "../base/error.ts";
import { batchSize, checksumFits } from "../batch/batch-header.ts";
import { openBatches } from "../batch/open-batches.ts";
import { rawBytes, readFully, wholeBatchesEnd } from "./file-bytes.ts";
import { type Segment, withSegment } from "./segment.ts";

/** Where a reader is. It is changed by reading; to seek, make a new one. */
export interface ReadPosition {
  offset: number;
  /** A hint from the last read: the next batch starts at `place` of it. */
  segment: Segment | undefined;
  place: number;
}

/** Whole batches of one partition, decompressed, as the port's `Fetched` has them. */
export interface LogRun {
  batches: Uint8Array;
  firstOffset: number;
  nextOffset: number;
  recordCount: number;
}

/** The start of a read at an offset. */
export function positionAt(offset: number): ReadPosition {
  return { offset, segment: undefined, place: 0 };
}

/**
 * The next batches of at most `bytesMax` bytes, but at least one; undefined at the end. A run without
 * batches says that the position moved over records which are no longer there.
 */
export async function nextRun(
  segments: readonly Segment[],
  position: ReadPosition,
  bytesMax: number,
): Promise<LogRun | undefined> {
  const firstOffset = position.offset;
  let { segment, place } = position;
  if (segment === undefined || segment.gone) {
    segment = segments.findLast((each) => each.baseOffset <= firstOffset) ?? segments[0];
    if (segment === undefined) return undefined;
    place = await segment.placeOf(firstOffset);
  }
  for (;;) {
    if (place < segment.sizeBytes) {
      const bytes = await readBatches(segment, place, bytesMax);
      const opened = await openBatches(bytes, {
        source: segment.path,
        firstOffset,
        isChecked: true,
      });
      const { batches, nextOffset, recordCount, end } = opened;
      place += end;
      // They all end before the offset.
      if (nextOffset === firstOffset) continue;
      Object.assign(position, { segment, place, offset: nextOffset });
      return { batches, firstOffset, nextOffset, recordCount };
    }
    const next: Segment | undefined = segments[segments.indexOf(segment) + 1];
    if (next === undefined) break;
    segment = next;
    place = 0;
  }
  const nextOffset = Math.max(firstOffset, segment.baseOffset);
  Object.assign(position, { segment, place, offset: nextOffset });
  if (nextOffset === firstOffset) return undefined;
  return { batches: new Uint8Array(0), firstOffset, nextOffset, recordCount: 0 };
}

/** Whole batches from a place on. */
async function readBatches(segment: Segment, place: number, bytesMax: number): Promise<Uint8Array> {
  const available = segment.sizeBytes - place;
  const { tail } = segment;
  // Published in full: a later one replaces it before it can be read.
  if (tail !== undefined && tail.place === place && tail.bytes.length === available)
    return tail.bytes;
  return withSegment(segment, async (file) => {
    let bytes = rawBytes(Math.min(bytesMax, available));
    let length = await readFully(file, bytes, place);
    let end = wholeBatchesEnd(bytes, length);
    if (end === 0) {
      const size = batchSize(bytes, 0, length);
      if (size > bytes.length && size <= available) {
        bytes = rawBytes(size);
        length = await readFully(file, bytes, place);
        end = wholeBatchesEnd(bytes, length);
      }
    }
    if (end === 0) throw corrupt(segment, place);
    const whole = bytes.subarray(0, end);
    if (!segment.checked) check(segment, whole, place);
    return whole;
  });
}

function check(segment: Segment, bytes: Uint8Array, place: number): void {
  for (let at = 0; at < bytes.length; ) {
    const size = batchSize(bytes, at, bytes.length);
    if (!checksumFits(bytes, at, at + size)) throw corrupt(segment, place + at);
    at += size;
  }
}

function corrupt(segment: Segment, place: number): TaskError {
  return new TaskError(
    "embedded.log_corrupt",
    `cannot read ${segment.path} at byte ${place}: the stored batch is damaged`,
    { hint: "The disk or another program changed the file; delete the topic or restore the file." },
  );
}
