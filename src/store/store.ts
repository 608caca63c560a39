/**
 * The three logs of a Connect cluster, as the rest of the host sees them. I3: a store's answers come
 * from reading its log back, never from what was just written.
 */

import type { ClusterState } from "../state/cluster-state.ts";
import type { ConfigText, RestartOptions } from "../state/config-record.ts";
import type { ConnectorName, TaskId } from "../state/id.ts";
import type { ConnectorStatus, TargetState, TaskStatus } from "../state/status.ts";

/** A compacted topic that is written, read to its end and then followed. */
export interface RecordLog {
  /** Durable when it resolves. */
  append(key: Uint8Array | null, value: Uint8Array | null): Promise<void>;
  /** In this order; durable when it resolves. */
  appendAll(records: { key: Uint8Array | null; value: Uint8Array | null }[]): Promise<void>;
  /** Resolves when every record that was in the log at the call has been told. */
  readToEnd(): Promise<void>;
  close(): Promise<void>;
}

/** Where a record stands. */
export interface RecordPlace {
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
}

/** What a store asks of the log it is handed. */
export interface RecordLogOptions {
  readonly topic: string;
  readonly partitionCount: number;
  /** Called for each record in the order of its partition; must not throw. */
  onRecord(key: Uint8Array | null, value: Uint8Array | null, at: RecordPlace): void;
}

/** Opens the topic and makes it when it is missing. */
export type OpenLog = (options: RecordLogOptions) => Promise<RecordLog>;

/** Connector configs, task configs and target states. Every method resolves once it was read back. */
export interface ConfigStore {
  readonly state: ClusterState;
  putConnector(name: ConnectorName, config: ConfigText, initial?: TargetState): Promise<void>;
  removeConnector(name: ConnectorName): Promise<void>;
  /** The whole set: written, then committed. */
  putTaskConfigs(name: ConnectorName, configs: readonly ConfigText[]): Promise<void>;
  putTargetState(name: ConnectorName, target: TargetState): Promise<void>;
  /** Commits no tasks, then writes STOPPED. */
  stopConnector(name: ConnectorName): Promise<void>;
  putRestart(name: ConnectorName, options: RestartOptions): Promise<void>;
  readToEnd(): Promise<void>;
  close(): Promise<void>;
}

/**
 * What instances last said of themselves. Writes do not wait: they are sent in the background, the
 * newest of an instance wins, and failed sends are repeated.
 */
export interface StatusStore {
  connector(name: ConnectorName): ConnectorStatus | undefined;
  task(id: TaskId): TaskStatus | undefined;
  /** By task number, ascending. */
  tasks(name: ConnectorName): readonly { readonly task: number; readonly status: TaskStatus }[];
  /** Of every connector that has a status or topics, or whose tasks have a status. */
  connectors(): readonly ConnectorName[];
  /** `safe` leaves a status alone that another worker wrote in a later generation. */
  putConnector(name: ConnectorName, status: ConnectorStatus, options?: { safe: boolean }): void;
  putTask(id: TaskId, status: TaskStatus, options?: { safe: boolean }): void;
  /** Also forgets its topics. */
  removeConnector(name: ConnectorName): void;
  removeTask(id: TaskId): void;
  /** What the connector's tasks have written to or read from since the last reset, sorted. */
  topics(name: ConnectorName): readonly string[];
  /** Notes it where it is not known yet; cheap where it is. */
  useTopic(id: TaskId, topic: string): void;
  /** Until its tasks use them again. */
  forgetTopics(name: ConnectorName): void;
  /** Resolves when everything put so far was written and read back (or given up). */
  flush(): Promise<void>;
  close(): Promise<void>;
}
