import type { Schema } from "./schema.ts";

/** Names something in the source system: a file, a table. JSON data. */
export type SourcePartition = Readonly<Record<string, unknown>>;

/** A place within a source partition. JSON data. */
export type SourceOffset = Readonly<Record<string, unknown>>;

export interface Header {
  readonly name: string;
  readonly value: unknown;
  readonly schema?: Schema | null | undefined;
}

/**
 * A record for Kafka. Without schema a Uint8Array stays bytes, a string stays text, anything else is
 * JSON data. The SDK is done with the object when the generator is resumed, so it may be reused
 * (unless the source has an `acked` hook).
 */
export interface SourceRecord {
  readonly topic: string;
  /** Kafka's partition; the host chooses when it is not given. */
  readonly partition?: number | null | undefined;
  readonly key?: unknown;
  readonly keySchema?: Schema | null | undefined;
  readonly value?: unknown;
  readonly valueSchema?: Schema | null | undefined;
  /** Milliseconds since the epoch; the time of sending when it is not given. */
  readonly timestamp?: number | null | undefined;
  readonly headers?: readonly Header[] | undefined;
  readonly sourcePartition?: SourcePartition | null | undefined;
  readonly sourceOffset?: SourceOffset | null | undefined;
}

/** An offset without a record: made by `checkpoint`, yielded like a record. */
export class Checkpoint {
  readonly sourcePartition: SourcePartition;
  readonly sourceOffset: SourceOffset | null;

  constructor(sourcePartition: SourcePartition, sourceOffset: SourceOffset | null) {
    this.sourcePartition = sourcePartition;
    this.sourceOffset = sourceOffset;
  }
}

/** Moves the offset of a source partition though there is no record, at this place of the stream. */
export function checkpoint(
  sourcePartition: SourcePartition,
  sourceOffset: SourceOffset | null,
): Checkpoint {
  return new Checkpoint(sourcePartition, sourceOffset);
}
