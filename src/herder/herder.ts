/**
 * The commands that users give, as promises. A command checks, appends to the config log and waits
 * until its effect was read back (I3); nothing is changed here.
 *
 * Texts and codes are Kafka Connect's. Every method rejects with `RequestError` (its status is the
 * HTTP status, its message the body's), `ConfigError` (400, all problems) or anything else (500).
 */
import type { ConnectorConfig } from "../plugin/plugin.ts";
import type { ConnectorState, TargetState, TaskState } from "../state/status.ts";

/** The body of `GET /connectors/{name}`, member for member. */
export interface ConnectorInfo {
  readonly name: string;
  /** Exactly as submitted, with `name`. */
  readonly config: ConnectorConfig;
  readonly tasks: readonly { readonly connector: string; readonly task: number }[];
  readonly type: "source" | "sink" | "unknown";
}

/** One entry of `GET /connectors/{name}/tasks`. */
export interface TaskInfo {
  readonly id: { readonly connector: string; readonly task: number };
  readonly config: ConnectorConfig;
}

/** The body of `GET /connectors/{name}/status`. */
export interface StatusInfo {
  readonly name: string;
  readonly connector: {
    readonly state: ConnectorState;
    readonly worker_id: string;
    /** Only when there is one. */
    readonly trace?: string;
    readonly version: string | null;
  };
  readonly tasks: readonly TaskStatusInfo[];
  readonly type: "source" | "sink" | "unknown";
}

/** The body of `GET /connectors/{name}/tasks/{id}/status`. */
export interface TaskStatusInfo {
  readonly id: number;
  readonly state: TaskState;
  readonly worker_id: string;
  readonly trace?: string;
  readonly version: string | null;
}

/** What REST and the command line may ask of a worker. */
export interface Herder {
  readonly kafkaClusterId: string;
  /** The rest waits for it; `/` and `/health` do not. */
  readonly ready: Promise<void>;
  /** Resolves when the loop that serves commands has gone round once more. */
  ping(): Promise<void>;
  connectors(): readonly string[];
  connector(name: string): Promise<ConnectorInfo>;
  config(name: string): Promise<ConnectorConfig>;
  tasks(name: string): Promise<readonly TaskInfo[]>;
  status(name: string): StatusInfo;
  taskStatus(name: string, task: number): TaskStatusInfo;
  create(
    name: string,
    config: ConnectorConfig,
    initialState: TargetState | undefined,
  ): Promise<ConnectorInfo>;
  /** Creates or replaces. */
  putConfig(
    name: string,
    config: ConnectorConfig,
  ): Promise<{ created: boolean; info: ConnectorInfo }>;
  delete(name: string): Promise<void>;
  pause(name: string): Promise<void>;
  resume(name: string): Promise<void>;
  stop(name: string): Promise<void>;
  /** Undefined for the plain restart (204), else the plan (202). */
  restart(
    name: string,
    options: { includeTasks: boolean; onlyFailed: boolean },
  ): Promise<StatusInfo | undefined>;
  restartTask(name: string, task: number): Promise<void>;
  /** Topics in use since the last reset, sorted; none for a connector that there is not, as in Connect. */
  activeTopics(name: string): readonly string[];
  /** Resolves when they are forgotten; tasks that run may use them again at any moment. */
  resetActiveTopics(name: string): Promise<void>;
}
