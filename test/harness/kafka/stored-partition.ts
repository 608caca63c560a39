/** One partition as a broker stores it, for tests that play the broker: batches, markers, holes, an end. */
import assert from "node:assert/strict";
import { attribute } from "../../../src/batch/batch-header.ts";
import type { Compression } from "../../../src/batch/compression.ts";
import { BatchBuilder } from "../../../src/batch/encode.ts";
import { brokerCode } from "../../../src/kafka/broker-error.ts";
import type {
  AbortedTransaction,
  FetchedPartition,
  FetchPartition,
} from "../../../src/kafka/protocol/fetch.ts";
import { newRecordSlice } from "../../../src/record/record-slice.ts";

interface StoredBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly bytes: Buffer;
}

export class StoredPartition {
  startOffset = 0;
  endOffset = 0;
  batches: StoredBatch[] = [];
  /** Of batches to come, which must be small enough to be compressed at once. */
  compression: Compression | undefined;
  /** In the order of their markers, as a broker keeps them. */
  readonly aborted: (AbortedTransaction & { readonly markerOffset: number })[] = [];
  /** Where each open transaction began, by producer. */
  readonly open = new Map<number, number>();

  /** One batch; as part of a transaction when a producer is given. Answers its first offset. */
  append(values: readonly string[], producerId?: number): number {
    if (producerId !== undefined && !this.open.has(producerId)) {
      this.open.set(producerId, this.endOffset);
    }
    return this.#store(values, producerId, producerId === undefined ? 0 : attribute.transactional);
  }

  /** Writes the marker of a transaction, also of one that never wrote here. */
  end(producerId: number, outcome: "abort" | "commit"): void {
    const firstOffset = this.open.get(producerId);
    const markerOffset = this.endOffset;
    const key = outcome === "abort" ? "\0\0\0\0" : "\0\0\0\u0001";
    this.#store([], producerId, attribute.transactional | attribute.control, key);
    this.open.delete(producerId);
    if (outcome === "abort" && firstOffset !== undefined) {
      this.aborted.push({ producerId, firstOffset, markerOffset });
    }
  }

  get lastStableOffset(): number {
    return Math.min(this.endOffset, ...this.open.values());
  }

  /** As retention does. */
  deleteBefore(offset: number): void {
    this.startOffset = offset;
    this.batches = this.batches.filter(({ lastOffset }) => lastOffset >= offset);
  }

  /** As a leader that lacks the end. */
  truncateTo(offset: number): void {
    this.endOffset = offset;
    this.startOffset = Math.min(this.startOffset, offset);
    this.batches = this.batches.filter(({ lastOffset }) => lastOffset < offset);
  }

  /** What there is from the offset on; at least one batch, and the beginning of the one that did not fit. */
  fetch(from: FetchPartition, readCommitted: boolean): FetchedPartition {
    const { topic, partition, offset, maxBytes } = from;
    const end = readCommitted ? this.lastStableOffset : this.endOffset;
    const place = { topic, partition, highWatermark: this.endOffset, lastStableOffset: end };
    const nothing = { ...place, errorCode: 0, aborted: [], records: Buffer.alloc(0) };
    if (offset < this.startOffset || offset > this.endOffset) {
      return { ...nothing, errorCode: brokerCode.offsetOutOfRange, highWatermark: -1 };
    }
    const found = this.batches.filter((each) => each.lastOffset >= offset && each.lastOffset < end);
    const [first] = found;
    if (first === undefined) return nothing;
    const size = Math.max(first.bytes.length, maxBytes);
    const records = Buffer.concat(found.map(({ bytes }) => bytes)).subarray(0, size);
    const aborted = this.aborted.filter(
      ({ firstOffset, markerOffset }) =>
        readCommitted && markerOffset >= offset && firstOffset < end,
    );
    return { ...nothing, records, aborted };
  }

  #store(values: readonly string[], producerId: number | undefined, attributes: number, key = "") {
    const builder = new BatchBuilder();
    const slice = newRecordSlice();
    for (const value of key === "" ? values : [""]) {
      const [keyBytes, bytes] = [Buffer.from(key), Buffer.from(value)];
      if (key !== "") Object.assign(slice.key, { bytes: keyBytes, start: 0, end: keyBytes.length });
      Object.assign(slice.value, { bytes, start: 0, end: bytes.length });
      builder.append(slice, 1_000);
    }
    if (this.compression !== undefined) assert.equal(builder.compress(this.compression), undefined);
    const baseOffset = this.endOffset;
    const producer = { id: producerId ?? -1, epoch: 0, baseSequence: -1 };
    const bytes = Buffer.from(builder.finish(baseOffset, { attributes, producer }));
    this.endOffset += builder.recordCount;
    this.batches.push({ baseOffset, lastOffset: this.endOffset - 1, bytes });
    return baseOffset;
  }
}
