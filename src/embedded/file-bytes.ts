/** Bytes of a file at places, whole or with an error. */
import type { FileHandle } from "node:fs/promises";
import { BatchHeader, batchSize, checksumFits } from "../batch/batch-header.ts";

const chunkBytes = 1024 * 1024;

/** Not a Buffer, whose `slice` would share; not cleared. */
export function rawBytes(size: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
}

/** Fills `bytes` from `place`; the number of bytes there were. */
export async function readFully(
  file: FileHandle,
  bytes: Uint8Array,
  place: number,
): Promise<number> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, place + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

/** Writes all of `bytes` at `place`; on an error some of them may be there. */
export async function writeFully(
  file: FileHandle,
  bytes: Uint8Array,
  place: number,
): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, place + done);
    done += bytesWritten;
  }
}

/** Where whole batches end in `bytes`, from the start; 0 when not even the first is whole. */
export function wholeBatchesEnd(bytes: Uint8Array, length: number): number {
  let end = 0;
  for (;;) {
    const size = batchSize(bytes, end, length);
    if (size === 0 || end + size > length) return end;
    end += size;
  }
}

/**
 * Tells every whole batch of the file up to `sizeBytes` in order and returns where the last one ends.
 * With `check` a batch with a wrong checksum ends the walk as a torn one does. `header.start` and
 * `header.end` are places in `bytes`, `place` is where the batch starts in the file. `onBatch` returns
 * false to end the walk before its batch.
 */
export async function walkBatches(
  file: FileHandle,
  options: { sizeBytes: number; check: boolean },
  onBatch: (header: BatchHeader, bytes: Uint8Array, place: number) => boolean | Promise<boolean>,
): Promise<number> {
  const { sizeBytes, check } = options;
  const header = new BatchHeader();
  let bytes = rawBytes(Math.min(chunkBytes, sizeBytes));
  let place = 0;
  while (place < sizeBytes) {
    const length = await readFully(file, bytes, place);
    const available = Math.min(length, sizeBytes - place);
    let at = 0;
    while (header.read(bytes, at, available)) {
      if (check && !checksumFits(bytes, header.start, header.end)) return place + at;
      const goOn = onBatch(header, bytes, place + at);
      if (goOn !== true && !(await goOn)) return place + at;
      at = header.end;
    }
    if (at === 0) {
      const size = batchSize(bytes, 0, available);
      if (size <= bytes.length || place + size > sizeBytes) return place;
      bytes = rawBytes(size);
    }
    place += at;
  }
  return place;
}
