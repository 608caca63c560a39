import type { ConfigKeys } from "./config.ts";
import type { ConnectorDefinition, Starting, TaskContext } from "./connector-definition.ts";
import type { SinkRecord } from "./sink-record.ts";

export interface SinkPartition {
  readonly topic: string;
  readonly partition: number;
}

/** The next offset to read. */
export interface SinkOffset extends SinkPartition {
  readonly offset: number;
}

export interface SinkContext<Keys extends ConfigKeys, State = undefined>
  extends TaskContext<Keys, State> {
  /** Has these partitions delivered again from here. What is on its way is dropped. */
  rewind(offsets: readonly SinkOffset[]): void;
  /** Delivers nothing from these partitions until `resume`. */
  pause(partitions: readonly SinkPartition[]): void;
  resume(partitions: readonly SinkPartition[]): void;
  /** Asks for `flush` soon. */
  requestCommit(): void;
  /**
   * Gives this record up as bad: the connector's error policy decides what becomes of it. Resolves
   * when that is durable; rejects when the policy is to fail.
   */
  report(record: SinkRecord, error: unknown): Promise<void>;
  /** `put` is called, perhaps with nothing, once these milliseconds have passed. */
  timeout(ms: number): void;
}

export interface SinkDefinition<Keys extends ConfigKeys, State> extends ConnectorDefinition<Keys> {
  /** Opens what the task needs; what it returns is `state` afterwards. */
  start?(context: Starting<SinkContext<Keys, unknown>>): State | Promise<State>;
  /** These partitions are now this task's, in addition; `offset` null = none committed. */
  open?(
    partitions: readonly (SinkPartition & { offset: number | null })[],
    context: SinkContext<Keys, State>,
  ): void | Promise<void>;
  /**
   * Stores records, or takes them over until `flush`. Called one after the other; with no records
   * now and then, so that a sink may act by time. Throw RetriableError to get the same records
   * again, RecordErrors where only some are bad.
   */
  put(records: readonly SinkRecord[], context: SinkContext<Keys, State>): void | Promise<void>;
  /**
   * Makes everything before these offsets durable: they are committed when it returns. It may return
   * lower offsets, or leave partitions out, to commit only those.
   */
  flush?(
    offsets: readonly SinkOffset[],
    context: SinkContext<Keys, State>,
  ): void | readonly SinkOffset[] | Promise<void> | Promise<readonly SinkOffset[] | undefined>;
  /** These partitions are this task's no more. */
  close?(
    partitions: readonly SinkPartition[],
    context: SinkContext<Keys, State>,
  ): void | Promise<void>;
  /** Closes what `start` opened; runs last, also after a failure. */
  stop?(context: SinkContext<Keys, State>): void | Promise<void>;
}

/** A declared sink class, for `run`. */
export interface SinkClass {
  readonly kind: "sink";
  readonly definition: SinkDefinition<ConfigKeys, unknown>;
}

/** Declares a sink: see `SinkDefinition`. */
export function sink<const Keys extends ConfigKeys = Record<never, never>, State = undefined>(
  definition: SinkDefinition<Keys, State>,
): SinkClass {
  return { kind: "sink", definition: definition as unknown as SinkDefinition<ConfigKeys, unknown> };
}
