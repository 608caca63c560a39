/** What a running host offers to the commands that started it, and the views that it is made of. */
import type { Herder } from "./herder/herder.ts";
import type { Admin } from "./kafka/kafka.ts";
import type { RunningTask } from "./rest/own.ts";
import type { ConfigText } from "./state/config-record.ts";
import type { TargetState } from "./state/status.ts";
import { taskMetrics } from "./task/metric-names.ts";
import type { Worker } from "./worker/worker.ts";

/** A worker that serves its REST API. */
export interface RunningHost {
  readonly restUrl: string;
  readonly admin: Admin;
  /**
   * Changes nothing. @throws ConfigError with all that is wrong; RequestError (400) for an unknown class.
   */
  checkConnector(name: string, config: ConfigText): Promise<void>;
  /** Resolves when a plugin has its class, none that is still to attach may have it, or the signal fires. */
  awaitClass(config: ConfigText, signal: AbortSignal): Promise<void>;
  /** Creates it, or gives it that config if it has another. */
  putConnector(name: string, config: ConfigText, initial: TargetState | undefined): Promise<void>;
  /** The process that runs a task now. */
  pidOf(connector: string, task: number): number | undefined;
  /** Rejects when the worker cannot go on; never resolves. */
  readonly failed: Promise<never>;
  /** Drains and ends everything; a second call changes nothing. */
  stop(): Promise<void>;
}

/** Creates it, or gives it that config if it has another. */
export async function putConnector(
  herder: Herder,
  name: string,
  config: ConfigText,
  initial: TargetState | undefined,
): Promise<void> {
  if (!herder.connectors().includes(name)) {
    await herder.create(name, config, initial);
    return;
  }
  const before = Object.entries(await herder.config(name)).sort();
  const wanted = Object.entries({ ...config, name }).sort();
  // An identical config would restart a connector that the log has started already.
  if (JSON.stringify(before) !== JSON.stringify(wanted)) await herder.putConfig(name, config);
}

const taskStates = {
  starting: "UNASSIGNED",
  waiting: "UNASSIGNED",
  running: "RUNNING",
  paused: "PAUSED",
  stopped: "UNASSIGNED",
  failed: "FAILED",
  stopping: "UNASSIGNED",
} as const;

/** For `/bulkhead/tasks`. */
export function runningTasks(worker: Worker): RunningTask[] {
  return worker.tasks().map(({ id, at, pid, meter }) => ({
    connector: id.connector,
    task: id.task,
    state: taskStates[at],
    pid: pid ?? null,
    metrics: taskMetrics(meter),
  }));
}
