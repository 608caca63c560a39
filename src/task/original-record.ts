/**
 * The bytes of a record that a sink was given, read from the log again: a dead letter needs them long
 * after the batch has gone, and keeping every batch for that would cost every record.
 */
import { RecordCursor } from "../batch/decode.ts";
import type { Fetched, PartitionReader } from "../kafka/kafka.ts";
import type { LetterHeader, RecordPlace } from "./dead-letter.ts";
import type { TaskParts, TaskSpec } from "./task.ts";

/** A record as it is in the log; its bytes are copies. */
export interface OriginalRecord {
  /** -1 = none. */
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly LetterHeader[];
}

/** How long one record may take. */
const readMsMax = 60_000;

/** One read at a time. */
export class OriginalRecords {
  readonly #spec: TaskSpec;
  readonly #parts: TaskParts;
  readonly #cursor = new RecordCursor();
  #reader: PartitionReader | undefined;
  /** What the cursor walks; the reader does not touch it before its next poll. */
  #held: Fetched | undefined;

  constructor(spec: TaskSpec, parts: TaskParts) {
    this.#spec = spec;
    this.#parts = parts;
  }

  /**
   * Null when the log does not have it any more, and when it says nothing for a minute.
   * @throws what the log's reader throws
   */
  async find(place: RecordPlace, signal: AbortSignal): Promise<OriginalRecord | null> {
    const held = this.#inHeld(place);
    if (held !== undefined) return held;
    this.#held = undefined;
    const reader = this.#open();
    reader.assign([{ topic: place.topic, partition: place.partition, offset: place.offset }]);
    const { clock } = this.#parts;
    const untilMs = clock.elapsedMs() + readMsMax;
    while (!signal.aborted && clock.elapsedMs() < untilMs) {
      for (const fetched of await reader.poll(1_000, signal)) {
        this.#cursor.reset(fetched);
        const isThere = this.#cursor.next() && this.#cursor.offset === place.offset;
        if (isThere) this.#held = fetched;
        if (isThere) return copied(this.#cursor);
        // Deleted, compacted away, or cut off and begun again: reading went on elsewhere.
        if (fetched.nextOffset !== place.offset) return null;
      }
    }
    return null;
  }

  /** Reports come in the order of the log more often than not, so what was read last is looked at first. */
  #inHeld({ topic, partition, offset }: RecordPlace): OriginalRecord | undefined {
    const held = this.#held;
    if (held?.topic !== topic || held.partition !== partition) return undefined;
    const cursor = this.#cursor;
    while (cursor.offset < offset) if (!cursor.next()) return undefined;
    return cursor.offset === offset ? copied(cursor) : undefined;
  }

  async close(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    this.#held = undefined;
    await reader?.close();
  }

  #open(): PartitionReader {
    const { connector, task } = this.#spec.id;
    this.#reader ??= this.#parts.kafka.partitionReader({
      clientId: `connector-dlq-reader-${connector}-${task}`,
      // One record is wanted, not what stands behind it.
      config: { "max.partition.fetch.bytes": "65536", "fetch.min.bytes": "1" },
    });
    return this.#reader;
  }
}

function copied(cursor: RecordCursor): OriginalRecord {
  const { bytes } = cursor;
  const copy = (from: Uint8Array, start: number, end: number) =>
    start < 0 ? null : Uint8Array.from(from.subarray(start, end));
  return {
    timestampMs: cursor.timestampMs,
    key: copy(bytes, cursor.keyStart, cursor.keyEnd),
    value: copy(bytes, cursor.valueStart, cursor.valueEnd),
    headers: cursor.headers.slice(0, cursor.headerCount).map((header) => ({
      name: header.name,
      value: copy(header.bytes, header.start, header.end),
    })),
  };
}
