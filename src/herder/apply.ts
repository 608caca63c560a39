import type { ConnectorName } from "../state/id.ts";
import type { StatusStore } from "../store/store.ts";
import type { Worker } from "../worker/worker.ts";
import type { Action, TasksRequest } from "./plan.ts";

export interface ApplyParts {
  readonly worker: Worker;
  readonly statuses: StatusStore;
  readonly makeTaskConfigs: (name: ConnectorName, request: TasksRequest) => void;
}

/** Does what was planned. Every call returns at once; nothing is decided here. */
export function apply(actions: readonly Action[], parts: ApplyParts): void {
  for (const action of actions) applyOne(action, parts);
}

function applyOne(action: Action, { worker, statuses, makeTaskConfigs }: ApplyParts): void {
  switch (action.at) {
    case "start-connector":
      worker.startConnector(action.start);
      break;
    case "stop-connector":
      worker.stopConnector(action.name, action.word);
      break;
    case "connector-target":
      worker.setConnectorTarget(action.name, action.target);
      break;
    case "make-task-configs":
      makeTaskConfigs(action.name, action.request);
      break;
    case "start-task":
      worker.startTask(action.start);
      break;
    case "stop-task":
      worker.stopTask(action.id, action.word);
      break;
    case "task-target":
      worker.setTaskTarget(action.id, action.target);
      break;
    case "forget-connector-status":
      statuses.removeConnector(action.name);
      break;
    case "forget-task-status":
      statuses.removeTask(action.id);
      break;
  }
}
