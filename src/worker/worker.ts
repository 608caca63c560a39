/**
 * Starts and stops connectors and tasks as it is told, and says what runs. Calls return at once; what
 * they cause is seen in `running` after the next change. An instance that has failed stays in
 * `running` until it is stopped.
 */
import type { TaskConfigsAnswer } from "../connector/connector.ts";
import type { Failure } from "../plugin/plugin.ts";
import type { ConfigText } from "../state/config-record.ts";
import type { ConnectorName, TaskId } from "../state/id.ts";
import type { ConnectorStatus, TargetState, TaskState } from "../state/status.ts";
import type { TaskMeter } from "../task/task.ts";

/** Where an instance is; it leaves "stopping" by disappearing. "waiting": for a plugin started by hand. */
export type InstanceAt =
  | "starting"
  | "waiting"
  | "running"
  | "paused"
  | "stopped"
  | "failed"
  | "stopping";

/** What connectors and tasks have in common while they run. */
export interface RunningInstance {
  readonly at: InstanceAt;
  /** What it was last told. */
  readonly target: TargetState;
  /** Rises with every start on this worker, so that a restart can be told from what was before. */
  readonly incarnation: number;
  /** Why it failed, while it is. */
  readonly error: unknown;
}

/** A connector on this worker. */
export interface RunningConnector extends RunningInstance {
  /** Of the config it was started with. */
  readonly revision: number;
  /** Rises when its task configs have to be made (again): each start, and when it asks for it. */
  readonly tasksWanted: number;
}

/** A task on this worker. */
export interface RunningTask extends RunningInstance {
  readonly id: TaskId;
  readonly generation: number;
}

/** Everything on this worker at one moment; tasks by `taskText`. */
export interface Running {
  readonly connectors: ReadonlyMap<ConnectorName, RunningConnector>;
  readonly tasks: ReadonlyMap<string, RunningTask>;
}

/** What a connector is started with. */
export interface ConnectorStart {
  readonly name: ConnectorName;
  readonly config: ConfigText;
  readonly revision: number;
  readonly target: TargetState;
}

/** What a task is started with. */
export interface TaskStart {
  readonly id: TaskId;
  readonly generation: number;
  readonly connectorConfig: ConfigText;
  readonly taskConfig: ConfigText;
  /** How many tasks the connector has: too many fail at their start. */
  readonly taskCount: number;
  readonly target: TargetState;
}

/** The word that an instance leaves in its status; a failed one keeps its trace when unassigned. */
export type StopWord = "UNASSIGNED" | "RESTARTING";

/** A task as screens and metrics want it. */
export interface TaskView {
  readonly id: TaskId;
  readonly at: InstanceAt;
  readonly pid: number | undefined;
  readonly meter: TaskMeter;
}

/** See above. Naming an instance that does not run here changes nothing. */
export interface Worker {
  running(): Running;
  startConnector(start: ConnectorStart): void;
  stopConnector(name: ConnectorName, word: StopWord): void;
  setConnectorTarget(name: ConnectorName, target: TargetState): void;
  taskConfigs(
    name: ConnectorName,
    tasksMax: number,
    previous: readonly ConfigText[],
  ): Promise<TaskConfigsAnswer>;
  failConnector(name: ConnectorName, error: unknown): void;
  /** @throws FencedError for an older generation than one that ran here, or while one is live. */
  startTask(start: TaskStart): void;
  stopTask(id: TaskId, word: StopWord): void;
  setTaskTarget(id: TaskId, target: TargetState): void;
  /** The plugin asked for it. */
  requestTaskReconfiguration(name: string): void;
  /** The plugin said that its Connector instance has failed. */
  raiseError(name: string, failure: Failure): void;
  /** The plugin process of a connector, for screens. */
  connectorPid(name: ConnectorName): number | undefined;
  tasks(): readonly TaskView[];
  /** Connectors first, then tasks, which drain and commit. Resolves by the deadlines. */
  stop(): Promise<void>;
}

/** Told for each change of a status; the task is undefined for the connector itself. */
export type OnStatus = (report: StatusReport) => void;

/** `safe` as in `StatusStore`: said by the runtime and not to overwrite a newer owner's word. */
export type StatusReport = { readonly safe: boolean } & (
  | {
      readonly connector: ConnectorName;
      readonly task?: undefined;
      readonly status: ConnectorStatus;
    }
  | {
      readonly connector: ConnectorName;
      readonly task: number;
      readonly status: ConnectorStatus & { readonly state: TaskState };
    }
);
