/** One file of a partition: record batches back to back, named by the first offset it may hold. */
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { BatchHeader } from "../batch/batch-header.ts";
import { walkBatches } from "./file-bytes.ts";

/** Larger batches come back from the file: with few records at a time the way there and back is what takes long. */
const tailBytesMax = 16 * 1024;

/** Bytes of a segment's end. */
export interface SegmentTail {
  readonly place: number;
  readonly bytes: Uint8Array;
}

/** How far apart the batches are that the index knows. */
const indexEveryBytes = 64 * 1024;

export class Segment {
  readonly baseOffset: number;
  readonly path: string;
  /** Whole batches that may be read. */
  sizeBytes: number;
  /** When it was written to last: what retention by time goes by. */
  lastWriteMs: number;
  /** All its batches were written, or their checksums seen to be right, by this process. */
  checked = false;
  /** Compaction has seen it. */
  compacted = false;
  /** Open while the log writes to it; a read through it need not open the file. */
  file: FileHandle | undefined;
  /** The last batch, kept when it is small: whoever waits for it need not ask the disk for it. */
  tail: SegmentTail | undefined;
  /** It left the log (deleted or rewritten): whoever reads it looks again. */
  gone = false;

  readonly #offsets: number[] = [];
  readonly #places: number[] = [];
  #indexedTo = 0;
  #building: Promise<void> | undefined;

  constructor(options: {
    directory: string;
    baseOffset: number;
    sizeBytes?: number;
    lastWriteMs: number;
  }) {
    this.baseOffset = options.baseOffset;
    this.path = join(options.directory, segmentName(options.baseOffset));
    this.sizeBytes = options.sizeBytes ?? 0;
    this.lastWriteMs = options.lastWriteMs;
  }

  /** Remembers where a batch starts; batches are told in order. */
  index(baseOffset: number, place: number, end: number): void {
    const last = this.#places.at(-1);
    if (last === undefined || place - last >= indexEveryBytes) {
      this.#offsets.push(baseOffset);
      this.#places.push(place);
    }
    this.#indexedTo = end;
  }

  /** Keeps a copy of what was written there, unless it is large. */
  keepTail(place: number, bytes: Uint8Array): void {
    this.tail = bytes.length <= tailBytesMax ? { place, bytes: new Uint8Array(bytes) } : undefined;
  }

  /** A place at or before the batch that holds `offset`, at most 64 KiB and a batch before it. */
  async placeOf(offset: number): Promise<number> {
    if (this.#indexedTo < this.sizeBytes) {
      this.#building ??= this.#buildIndex();
      await this.#building;
    }
    let low = 0;
    let high = this.#offsets.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#offsets[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : this.#places[low - 1]!;
  }

  /** The offset after the last record; its base offset when it has none. */
  async endOffset(): Promise<number> {
    let end = this.baseOffset;
    await this.#walk((header) => {
      end = header.lastOffset + 1;
    });
    return end;
  }

  /** A segment of an earlier run has no index until it is read. */
  async #buildIndex(): Promise<void> {
    try {
      this.#offsets.length = 0;
      this.#places.length = 0;
      await this.#walk((header, place) => {
        this.index(header.baseOffset, place, place + header.end - header.start);
      });
      this.#indexedTo = this.sizeBytes;
    } finally {
      this.#building = undefined;
    }
  }

  async #walk(onBatch: (header: BatchHeader, place: number) => void): Promise<void> {
    if (this.sizeBytes === 0) return;
    await withFile(this.path, "r", (file) =>
      walkBatches(file, { sizeBytes: this.sizeBytes, check: false }, (header, _, place) => {
        onBatch(header, place);
        return true;
      }),
    );
  }
}

/** 20 digits, so that names sort as offsets do. */
function segmentName(baseOffset: number): string {
  return `${String(baseOffset).padStart(20, "0")}.log`;
}

/** The base offset in a file's name; undefined for other files. */
export function baseOffsetOf(name: string): number | undefined {
  const digits = /^(\d{20})\.log$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Opens, works, closes. */
export async function withFile<T>(
  path: string,
  flags: string,
  work: (file: FileHandle) => Promise<T>,
): Promise<T> {
  const file = await open(path, flags);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

/** Reads a segment through the handle that the log has open, else through one of its own. */
export function withSegment<T>(
  segment: Segment,
  work: (file: FileHandle) => Promise<T>,
): Promise<T> {
  return segment.file === undefined ? withFile(segment.path, "r", work) : work(segment.file);
}
