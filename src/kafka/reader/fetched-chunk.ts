/** What one answer of a broker held for one partition, on its way to the reader. */
import { at, BatchHeader, batchSize } from "../../batch/batch-header.ts";
import { openBatches } from "../../batch/open-batches.ts";
import { noBytes } from "../../record/record-slice.ts";
import type { Fetched, TopicPartition } from "../kafka.ts";
import type { FetchedPartition } from "../protocol/fetch.ts";
import { AbortedFilter } from "./aborted-filter.ts";

/** An answer, whose memory is free when the last of its chunks has been used. */
export interface HeldAnswer {
  chunks: number;
  release(): void;
}

export class FetchedChunk {
  /** One past the last whole batch. */
  readonly nextOffset: number;
  readonly #partition: TopicPartition;
  readonly #address: string;
  readonly #bytes: Uint8Array;
  readonly #held: HeldAnswer | undefined;
  readonly #aborted: AbortedFilter | undefined;
  /** What the filter said of the batch at a place: it wants to be asked once. */
  readonly #leftOut = new Map<number, boolean>();
  readonly #end: number;
  #at = 0;
  #offset: number;

  /** `offset` is where the fetch began, the first batch may begin before it; `address` is the broker's. */
  constructor(from: FetchedPartition, offset: number, held: HeldAnswer, address: string) {
    this.#address = address;
    this.#partition = { topic: from.topic, partition: from.partition };
    this.#bytes = from.records;
    this.#aborted = from.aborted.length > 0 ? new AbortedFilter(from.aborted) : undefined;
    this.#offset = offset;
    const header = new BatchHeader();
    let end = 0;
    let nextOffset = offset;
    for (; header.read(this.#bytes, end, this.#bytes.length); end = header.end) {
      nextOffset = Math.max(nextOffset, header.lastOffset + 1);
    }
    // What is no batch at all is kept to be complained of when it is opened.
    this.#end = end === 0 && isNoBatch(this.#bytes) ? this.#bytes.length : end;
    this.nextOffset = nextOffset;
    if (!this.hasBatches) return;
    this.#held = held;
    held.chunks += 1;
  }

  /** False when not even one whole batch came. */
  get hasBatches(): boolean {
    return this.#end > 0;
  }

  get leftBytes(): number {
    return this.#end - this.#at;
  }

  /**
   * The next part, checked and decompressed, without what was aborted; perhaps only to say that the
   * position has moved. `memory` is for what is decompressed.
   * @throws TaskError as `openBatches`
   */
  async open(memory: (bytes: number) => Uint8Array): Promise<Fetched> {
    const aborted = this.#aborted;
    const { batches, firstOffset, nextOffset, recordCount, end } = await openBatches(this.#bytes, {
      source: `${this.#partition.topic}-${this.#partition.partition} (from ${this.#address})`,
      firstOffset: this.#offset,
      start: this.#at,
      end: this.#end,
      memory,
      ...(aborted && { keeps: (header) => !this.#leavesOut(aborted, header) }),
    });
    this.#at = end;
    this.#offset = nextOffset;
    return { ...this.#partition, batches, firstOffset, nextOffset, recordCount };
  }

  #leavesOut(aborted: AbortedFilter, header: BatchHeader): boolean {
    const known = this.#leftOut.get(header.start);
    if (known !== undefined) return known;
    const leavesOut = aborted.leavesOut(header);
    this.#leftOut.set(header.start, leavesOut);
    return leavesOut;
  }

  /** Nothing of it is needed any more, once. */
  release(): void {
    const held = this.#held;
    if (held === undefined) return;
    held.chunks -= 1;
    if (held.chunks === 0) held.release();
  }
}

/** Says that the position moved without records. */
export function moved(
  { topic, partition }: TopicPartition,
  firstOffset: number,
  nextOffset: number,
): Fetched {
  return { topic, partition, batches: noBytes, firstOffset, nextOffset, recordCount: 0 };
}

/** As against the beginning of one. */
function isNoBatch(bytes: Uint8Array): boolean {
  return bytes.length >= at.records && batchSize(bytes, 0, bytes.length) === 0;
}
