/** What one answer of a broker held for one partition, on its way to the reader. */
import { TaskError } from "../base/error.ts";
import { attribute, BatchHeader, checksumFits } from "../batch/batch-header.ts";
import { RecordCursor } from "../batch/decode.ts";
import { noBytes } from "../record/record-slice.ts";
import { AbortedFilter } from "./aborted-filter.ts";
import type { Fetched, TopicPartition } from "./kafka.ts";
import type { FetchedPartition } from "./protocol/fetch.ts";

/** I5: of compressed batches so much (or one batch) is opened at a time. */
const compressedBytesAtOnce = 256 * 1024;

/** An answer, whose memory is free when the last of its chunks has been used. */
export interface HeldAnswer {
  chunks: number;
  release(): void;
}

export class FetchedChunk {
  /** One past the last whole batch. */
  readonly nextOffset: number;
  readonly #partition: TopicPartition;
  readonly #bytes: Uint8Array;
  readonly #held: HeldAnswer | undefined;
  readonly #aborted: AbortedFilter;
  readonly #header = new BatchHeader();
  readonly #end: number;
  #at = 0;
  #offset: number;

  /** `offset` is where the fetch began; the first batch may begin before it. */
  constructor(from: FetchedPartition, offset: number, held: HeldAnswer) {
    this.#partition = { topic: from.topic, partition: from.partition };
    this.#bytes = from.records;
    this.#aborted = new AbortedFilter(from.aborted);
    this.#offset = offset;
    let end = 0;
    let nextOffset = offset;
    const header = this.#header;
    for (; header.read(this.#bytes, end, this.#bytes.length); end = header.end) {
      nextOffset = Math.max(nextOffset, header.lastOffset + 1);
    }
    this.#end = end;
    this.nextOffset = nextOffset;
    this.#held = end > 0 ? held : undefined;
    if (end > 0) held.chunks += 1;
  }

  /** False when not even one whole batch came. */
  get hasBatches(): boolean {
    return this.#end > 0;
  }

  get leftBytes(): number {
    return this.#end - this.#at;
  }

  /**
   * The next part, checked and opened; in several pieces where aborted batches were left out between.
   * At least one, be it only to say that the position has moved.
   * @throws TaskError `batch.corrupt`
   */
  async open(): Promise<Fetched[]> {
    const pieces: Piece[] = [];
    const header = this.#header;
    const firstOffset = this.#offset;
    let current: Piece | undefined;
    let compressedBytes = 0;
    while (this.#at < this.#end && compressedBytes < compressedBytesAtOnce) {
      header.read(this.#bytes, this.#at, this.#end);
      this.#at = header.end;
      if (header.lastOffset < firstOffset) continue;
      this.#offset = header.lastOffset + 1;
      if (this.#aborted.leavesOut(header)) {
        if (current !== undefined) pieces.push(current);
        current = undefined;
        continue;
      }
      if ((header.attributes & attribute.compression) !== 0) {
        compressedBytes += header.end - header.start;
      }
      current ??= { start: header.start, end: 0, firstOffset: header.baseOffset, nextOffset: 0 };
      current.end = header.end;
      current.nextOffset = this.#offset;
    }
    if (current !== undefined) pieces.push(current);
    return this.#openPieces(pieces, firstOffset);
  }

  /** Nothing of it is needed any more, once. */
  release(): void {
    const held = this.#held;
    if (held === undefined) return;
    held.chunks -= 1;
    if (held.chunks === 0) held.release();
  }

  async #openPieces(pieces: readonly Piece[], firstOffset: number): Promise<Fetched[]> {
    const opened: Fetched[] = [];
    for (const { start, end, firstOffset: base, nextOffset } of pieces) {
      const from = Math.max(base, firstOffset);
      const { batches, recordCount } = openBatches(this.#bytes.subarray(start, end), from);
      opened.push({ ...this.#partition, batches, firstOffset: from, nextOffset, recordCount });
    }
    if (opened.length === 0) return [moved(this.#partition, firstOffset, this.#offset)];
    opened[0]!.firstOffset = firstOffset;
    opened.at(-1)!.nextOffset = this.#offset;
    return opened;
  }
}

/** Some batches of a chunk, one after the other. */
interface Piece {
  readonly start: number;
  end: number;
  readonly firstOffset: number;
  nextOffset: number;
}

/** Says that the position moved without records. */
export function moved(
  { topic, partition }: TopicPartition,
  firstOffset: number,
  nextOffset: number,
): Fetched {
  return { topic, partition, batches: noBytes, firstOffset, nextOffset, recordCount: 0 };
}

function openBatches(
  bytes: Uint8Array,
  firstOffset: number,
): { batches: Uint8Array; recordCount: number } {
  const header = new BatchHeader();
  let recordCount = 0;
  for (let at = 0; header.read(bytes, at, bytes.length); at = header.end) {
    if (!checksumFits(bytes, header.start, header.end)) {
      throw new TaskError("batch.corrupt", `the batch at offset ${header.baseOffset} is damaged`);
    }
    if (header.isControl) continue;
    header.assertUncompressed();
    recordCount +=
      header.baseOffset >= firstOffset
        ? header.recordCount
        : countFrom(bytes.subarray(header.start, header.end), firstOffset);
  }
  return { batches: bytes, recordCount };
}

function countFrom(batches: Uint8Array, firstOffset: number): number {
  const cursor = new RecordCursor();
  cursor.reset({ batches, firstOffset });
  let count = 0;
  while (cursor.next()) count += 1;
  return count;
}
