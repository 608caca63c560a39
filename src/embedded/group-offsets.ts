/**
 * What groups have committed: in memory for reading, and durable in the compacted topic
 * `__consumer_offsets`, as bytes that Kafka's own tools can read.
 */

import type { Clock } from "../base/clock.ts";
import { RecordCursor } from "../batch/decode.ts";
import { BatchBuilder } from "../batch/encode.ts";
import type { PartitionOffset, TopicPartition } from "../kafka/kafka.ts";
import { newRecordSlice, type RecordSlice } from "../record/record-slice.ts";
import { placeKey } from "./fetcher.ts";
import { positionAt } from "./log-run.ts";
import { decodeKey, decodeOffset, encodeKey, encodeOffset } from "./offset-record.ts";
import type { PartitionLog } from "./partition-log.ts";
import type { TopicCatalog } from "./topic-catalog.ts";

/** The topic that holds them; listed like any other, but no pattern subscribes to it. */
export const offsetsTopic = "__consumer_offsets";

const readBytesMax = 1024 * 1024;

/** An offset, or null to forget the one committed before. */
export type NewOffset = TopicPartition & { offset: number | null };

export class GroupOffsets {
  readonly #catalog: TopicCatalog;
  readonly #clock: Clock;
  readonly #groups = new Map<string, Map<string, PartitionOffset>>();
  /** Commits of one moment share a batch's write and its force onto the disk. */
  #log: PartitionLog | undefined;

  constructor(parts: { catalog: TopicCatalog; clock: Clock }) {
    this.#catalog = parts.catalog;
    this.#clock = parts.clock;
  }

  /** Reads what an earlier run committed. */
  async open(): Promise<void> {
    const log = this.#catalog.partition(offsetsTopic, 0);
    if (log === undefined) return;
    const position = positionAt(log.startOffset);
    const cursor = new RecordCursor();
    for (;;) {
      const run = await log.read(position, readBytesMax);
      if (run === undefined) break;
      cursor.reset(run);
      while (cursor.next()) this.#applyRecord(cursor);
    }
  }

  of(groupId: string): readonly PartitionOffset[] {
    return [...(this.#groups.get(groupId)?.values() ?? [])];
  }

  committed(groupId: string, partition: TopicPartition): number | null {
    return this.#groups.get(groupId)?.get(placeKey(partition))?.offset ?? null;
  }

  /** On the disk when it resolves (fsync=never apart). */
  async commit(groupId: string, offsets: readonly NewOffset[]): Promise<void> {
    if (offsets.length === 0) return;
    this.#log ??= await this.#makeLog();
    const log = this.#log;
    const nowMs = this.#clock.nowMs();
    const batch = new BatchBuilder({ initialBytes: 256 + offsets.length * 128 });
    const record = newRecordSlice();
    for (const each of offsets) {
      const value = each.offset === null ? null : encodeOffset(each.offset, nowMs);
      fill(record, encodeKey(groupId, each), value);
      batch.append(record, nowMs);
    }
    await log.append(batch);
    for (const each of offsets) this.#apply(groupId, each);
  }

  async forgetTopic(topic: string): Promise<void> {
    for (const groupId of this.#groups.keys()) {
      const gone = this.of(groupId).filter((each) => each.topic === topic);
      await this.commit(
        groupId,
        gone.map((each) => ({ ...each, offset: null })),
      );
    }
  }

  async #makeLog(): Promise<PartitionLog> {
    const config = { "cleanup.policy": "compact" };
    await this.#catalog.create({
      name: offsetsTopic,
      partitionCount: 1,
      replicationFactor: -1,
      config,
    });
    return this.#catalog.partition(offsetsTopic, 0)!;
  }

  #applyRecord(cursor: RecordCursor): void {
    const { bytes, keyStart, keyEnd, valueStart, valueEnd } = cursor;
    if (keyStart < 0) return;
    const key = decodeKey(bytes.subarray(keyStart, keyEnd));
    if (key === undefined) return;
    const offset = valueStart < 0 ? null : decodeOffset(bytes.subarray(valueStart, valueEnd));
    this.#apply(key.groupId, { topic: key.topic, partition: key.partition, offset });
  }

  #apply(groupId: string, { topic, partition, offset }: NewOffset): void {
    const group = this.#groups.get(groupId) ?? new Map<string, PartitionOffset>();
    const key = placeKey({ topic, partition });
    if (offset === null) group.delete(key);
    else group.set(key, { topic, partition, offset });
    if (group.size === 0) this.#groups.delete(groupId);
    else this.#groups.set(groupId, group);
  }
}

function fill(record: RecordSlice, key: Uint8Array, value: Uint8Array | null): void {
  Object.assign(record.key, { bytes: key, start: 0, end: key.length });
  const bytes = value ?? record.value.bytes;
  Object.assign(record.value, {
    bytes,
    start: value === null ? -1 : 0,
    end: value === null ? -1 : value.length,
  });
}
