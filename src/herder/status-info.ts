import type { ConnectorName } from "../state/id.ts";
import type { ConnectorStatus, TaskStatus } from "../state/status.ts";
import type { StatusInfo, TaskStatusInfo } from "./herder.ts";
import type { RestartPlan } from "./restart-plan.ts";

export interface StatusParts {
  readonly name: ConnectorName;
  readonly type: StatusInfo["type"];
  readonly connector: ConnectorStatus;
  readonly tasks: readonly { readonly task: number; readonly status: TaskStatus }[];
}

/** The body of a status answer; with a restart plan, what it hits shows as RESTARTING. */
export function statusInfo({ name, type, connector, tasks }: StatusParts, hit?: RestartPlan) {
  const info: StatusInfo = {
    name,
    connector: {
      ...instanceInfo(connector),
      state: hit?.connector ? "RESTARTING" : connector.state,
    },
    tasks: tasks.map(({ task, status }) => ({
      ...taskStatusInfo(task, status),
      state: hit?.tasks.includes(task) ? "RESTARTING" : status.state,
    })),
    type,
  };
  return info;
}

export function taskStatusInfo(task: number, status: TaskStatus): TaskStatusInfo {
  return { id: task, ...instanceInfo(status), state: status.state };
}

/** The members in Connect's order. */
function instanceInfo({ state, workerId, version, trace }: ConnectorStatus) {
  const info = { state, worker_id: workerId, version };
  return trace === null || trace === "" ? info : { ...info, trace };
}
