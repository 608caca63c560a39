import type { ConfigKeys } from "./config.ts";
import type {
  ConnectorDefinition,
  OffsetReader,
  Starting,
  TaskContext,
} from "./connector-definition.ts";
import type { OffsetMode } from "./offset-columns.ts";
import type { Checkpoint, SourceOffset, SourcePartition, SourceRecord } from "./source-record.ts";

export interface SourceContext<Keys extends ConfigKeys, State = undefined>
  extends TaskContext<Keys, State>,
    OffsetReader {}

/** What `read` yields. Arrays are the fast way: they cost no promise per record. */
export type SourceItem = SourceRecord | Checkpoint;

export interface SourceDefinition<Keys extends ConfigKeys, State>
  extends ConnectorDefinition<Keys> {
  /**
   * `last` sends one offset for each source partition and batch instead of one for each record: less
   * work, and a little more is read again after a crash. Records may then leave `sourceOffset` out:
   * the newest one given counts. `per-record` unless said.
   */
  readonly offsets?: OffsetMode;
  /** The offsets that come back are enough to read exactly the records that follow. */
  readonly exactlyOnce?: boolean;
  /** Opens what the task needs; what it returns is `state` afterwards. */
  start?(context: Starting<SourceContext<Keys, unknown>>): State | Promise<State>;
  /**
   * Yields records until the signal fires, starting behind `offset`. A yield is a poll: the records
   * of one yield stay together. To return is to have nothing more. After a RetriableError it is
   * called again, and `offset` then also knows what was yielded before.
   */
  read(context: SourceContext<Keys, State>): AsyncIterable<SourceItem | readonly SourceItem[]>;
  /** These records are in Kafka, or were dropped by a transform or the error policy; in order. */
  acked?(
    records: readonly SourceRecord[],
    context: SourceContext<Keys, State>,
  ): void | Promise<void>;
  /** These offsets are durable: what lies before them may be freed in the source system. */
  committed?(
    offsets: readonly { partition: SourcePartition | null; offset: SourceOffset | null }[],
    context: SourceContext<Keys, State>,
  ): void | Promise<void>;
  /** Closes what `start` opened; runs last, also after a failure. */
  stop?(context: SourceContext<Keys, State>): void | Promise<void>;
}

/** A declared source class, for `run`. */
export interface SourceClass {
  readonly kind: "source";
  readonly definition: SourceDefinition<ConfigKeys, unknown>;
}

/** Declares a source: see `SourceDefinition`. */
export function source<const Keys extends ConfigKeys = Record<never, never>, State = undefined>(
  definition: SourceDefinition<Keys, State>,
): SourceClass {
  return {
    kind: "source",
    definition: definition as unknown as SourceDefinition<ConfigKeys, unknown>,
  };
}
