/** The states that users see (reference section 13), upper case as on the wire. */
export type ConnectorState =
  | "UNASSIGNED"
  | "RUNNING"
  | "PAUSED"
  | "STOPPED"
  | "FAILED"
  | "RESTARTING"
  | "DESTROYED";

export type TaskState = Exclude<ConnectorState, "STOPPED">;

/** What a user wants of a connector. */
export type TargetState = "STARTED" | "PAUSED" | "STOPPED";

export interface InstanceStatus<S> {
  readonly state: S;
  readonly workerId: string;
  readonly generation: number;
  /** Only while FAILED. */
  readonly trace: string | null;
  /** Of the plugin class; null for an instance that failed before it could be built. */
  readonly version: string | null;
}

export type ConnectorStatus = InstanceStatus<ConnectorState>;
export type TaskStatus = InstanceStatus<TaskState>;
