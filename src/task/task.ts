/**
 * A task's record path: plugin, transform, convert, Kafka, and the acknowledgements back. A task is a
 * shard: one function builds it from plain data (`TaskSpec`) and the parts it needs from outside
 * (`TaskParts`), it owns its stream, its Kafka clients and its buffers, and it talks to the rest by
 * messages only.
 */
import type { Clock } from "../base/clock.ts";
import type { TopicGroup } from "../config/topic-creation.ts";
import type { Converter, HeaderConverter } from "../convert/converter.ts";
import type { Kafka } from "../kafka/kafka.ts";
import type { Logger } from "../observe/logger.ts";
import type { ConnectorConfig, ProcessLease, SourceOffset, StageStream } from "../plugin/plugin.ts";
import type { TaskId } from "../state/id.ts";
import type { TargetState, TaskState } from "../state/status.ts";
import type { PluginStage } from "../transform/plugin-stage.ts";
import type { Step } from "../transform/step.ts";
import type { CrashSuspects } from "./crash-suspects.ts";
import type { PutGates } from "./put-gate.ts";

/** Plain data: could be posted to another thread. */
export interface TaskSpec {
  readonly id: TaskId;
  readonly kind: "source" | "sink";
  readonly className: string;
  readonly taskClass: string;
  readonly version: string;
  /** As submitted, placeholders resolved. */
  readonly connectorConfig: ConnectorConfig;
  readonly taskConfig: ConnectorConfig;
  readonly limits: TaskLimits;
}

/** The bounds of one task (I5), from the worker config. */
export interface TaskLimits {
  readonly offsetFlushIntervalMs: number;
  readonly offsetFlushTimeoutMs: number;
  readonly startMsMax: number;
  readonly stopMsMax: number;
  /** What the plugin may have in flight to the host, and the host to the plugin. */
  readonly windowRecords: number;
  readonly windowBytes: number;
  readonly messageBytesMax: number;
}

/** What a task needs from outside; each a neighbour that a test replaces by an object literal. */
export interface TaskParts {
  readonly kafka: Kafka;
  readonly offsets: SourceOffsetStore;
  /** Topics that sources may not write to. */
  readonly topicsRefused: ReadonlySet<string>;
  /** How a source makes its topics; undefined where that is left to the log. */
  readonly topicGroups: readonly TopicGroup[] | undefined;
  /** Told again and again which topics the task writes to or reads, so it has to be cheap. */
  readonly useTopic: (topic: string) => void;
  readonly keyConverter: Converter;
  readonly valueConverter: Converter;
  readonly headerConverter: HeaderConverter;
  /** Their Java names, for reports of records. */
  readonly converterClasses: Readonly<Record<"key" | "value" | "header", string>>;
  /**
   * The connector's transforms in their order, with what they have learnt: asked once by each start.
   * @throws ConfigError for settings that cannot be used
   */
  readonly createSteps: () => Promise<readonly Step[]>;
  /** Opens a transform or predicate of a plugin. @throws TaskError when it does not start */
  readonly openStage: (
    alias: string,
    stage: PluginStage,
    signal: AbortSignal,
  ) => Promise<OpenStage>;
  /** Which records may have killed their plugin; undefined: nobody asks. */
  readonly suspects?: CrashSuspects | undefined;
  /** Of all processes. */
  readonly putGates?: PutGates;
  readonly acquireProcess: (signal: AbortSignal) => Promise<ProcessLease>;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly meter: TaskMeter;
}

/** A stage whose process is held until it is closed. */
export interface OpenStage {
  readonly stream: StageStream;
  close(): Promise<void>;
}

/** What records of either direction meet beside transforms. */
export type RecordConverters = Pick<
  TaskParts,
  "keyConverter" | "valueConverter" | "headerConverter" | "converterClasses"
>;

/** Committed source offsets of one connector, by source partition text. */
export interface SourceOffsetStore {
  read(connector: string, partitions: readonly string[]): Promise<readonly (string | null)[]>;
  /** Durable when it resolves (I1 is the caller's). */
  write(connector: string, offsets: readonly SourceOffset[]): Promise<void>;
}

/** Counts under Connect's metric names; plain fields, so that counting costs nothing. */
export interface TaskMeter {
  sourceRecordPollTotal: number;
  sourceRecordWriteTotal: number;
  sinkRecordReadTotal: number;
  sinkRecordSendTotal: number;
  totalRecordFailures: number;
  totalRecordErrors: number;
  totalRecordsSkipped: number;
  totalRetries: number;
  totalErrorsLogged: number;
  /** Milliseconds since the epoch; 0 = nothing failed yet. */
  lastErrorTimestamp: number;
  /** Records that transforms dropped; ours, as Connect only shows what is left. */
  recordsFilteredTotal: number;
  deadLetterProduceRequests: number;
  deadLetterProduceFailures: number;
  offsetCommitCompletionTotal: number;
  offsetCommitSkipTotal: number;
}

/** One task while it runs; a restart makes a new one. */
export interface Task {
  readonly id: TaskId;
  /** Resolves when it was asked to stop and has; rejects when it failed. Its owner decides. */
  run(signal: AbortSignal): Promise<void>;
  /** STARTED or PAUSED; takes effect while running. */
  setTarget(target: TargetState): void;
  readonly meter: TaskMeter;
  /** The plugin process that runs it now. */
  readonly pid: number | undefined;
}

/** Told by the task as it changes; never FAILED or UNASSIGNED, which are its owner's words. */
export type OnTaskState = (state: Extract<TaskState, "RUNNING" | "PAUSED">) => void;

/** Builds a task from plain data and its parts; nothing happens before `run`. */
export type CreateTask = (
  spec: TaskSpec,
  parts: TaskParts,
  target: TargetState,
  onState: OnTaskState,
) => Task;
