/** The records of the status topic, byte for byte as Apache Connect writes them. */
import { type ConnectorName, connectorName, type TaskId, taskText } from "../state/id.ts";
import type { ConnectorState, InstanceStatus } from "../state/status.ts";
import { decodeObject, decodeText, encodeJson } from "./java-json.ts";

/** Who a status is of. */
export type StatusOwner = { connector: ConnectorName; task?: number };

const prefixes = { connector: "status-connector-", task: "status-task-" };

export function statusKey(owner: StatusOwner): string {
  return owner.task === undefined
    ? `${prefixes.connector}${owner.connector}`
    : `${prefixes.task}${taskText(owner as TaskId)}`;
}

export function encodeStatus(status: InstanceStatus<ConnectorState>): Uint8Array {
  const { state, trace, workerId, generation, version } = status;
  return encodeJson({ state, trace, worker_id: workerId, generation, version });
}

/** Undefined for keys of other kinds (active topics) and for those that cannot be read. */
export function decodeStatusKey(bytes: Uint8Array | null): StatusOwner | undefined {
  const key = bytes === null ? undefined : decodeText(bytes);
  if (key?.startsWith(prefixes.connector)) {
    return { connector: connectorName(key.slice(prefixes.connector.length)) };
  }
  const [, name, number] = /^status-task-(.*)-(\d{1,9})$/s.exec(key ?? "") ?? [];
  return name === undefined ? undefined : { connector: connectorName(name), task: Number(number) };
}

const states: ReadonlySet<unknown> = new Set<ConnectorState>([
  "UNASSIGNED",
  "RUNNING",
  "PAUSED",
  "STOPPED",
  "FAILED",
  "RESTARTING",
]);

/** Undefined for a value that cannot be read; workers before 4.1 wrote no version. */
export function decodeStatus(bytes: Uint8Array): InstanceStatus<ConnectorState> | undefined {
  const { state, trace, worker_id, generation, version } = decodeObject(bytes) ?? {};
  if (!states.has(state) || typeof worker_id !== "string") return undefined;
  return {
    state: state as ConnectorState,
    trace: typeof trace === "string" ? trace : null,
    workerId: worker_id,
    generation: typeof generation === "number" ? generation : 0,
    version: typeof version === "string" ? version : null,
  };
}
