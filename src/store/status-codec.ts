/** The records of the status topic, byte for byte as Apache Connect writes them. */
import { type ConnectorName, connectorName, type TaskId, taskText } from "../state/id.ts";
import type { ConnectorState, InstanceStatus } from "../state/status.ts";
import { decodeObject, decodeText, encodeJson } from "./java-json.ts";

/** Who a status is of. */
export type StatusOwner = { connector: ConnectorName; task?: number };

/** A topic that a connector uses, and which of its tasks was seen to use it first. */
export interface TopicUse {
  readonly topic: string;
  readonly connector: ConnectorName;
  readonly task: number;
  readonly discoveredMs: number;
}

const prefixes = { connector: "status-connector-", task: "status-task-" };
const topicPrefix = "status-topic-";
const topicSeparator = ":connector-";

export function statusKey(owner: StatusOwner): string {
  return owner.task === undefined
    ? `${prefixes.connector}${owner.connector}`
    : `${prefixes.task}${taskText(owner as TaskId)}`;
}

export function encodeStatus(status: InstanceStatus<ConnectorState>): Uint8Array {
  const { state, trace, workerId, generation, version } = status;
  return encodeJson({ state, trace, worker_id: workerId, generation, version });
}

export function topicKey({ topic, connector }: Pick<TopicUse, "topic" | "connector">): string {
  return `${topicPrefix}${topic}${topicSeparator}${connector}`;
}

export function encodeTopicUse({ topic, connector, task, discoveredMs }: TopicUse): Uint8Array {
  return encodeJson({ topic: { name: topic, connector, task, discoverTimestamp: discoveredMs } });
}

/** Undefined for keys of other kinds; a colon is in no topic's name. */
export function decodeTopicKey(
  bytes: Uint8Array | null,
): Pick<TopicUse, "topic" | "connector"> | undefined {
  const key = bytes === null ? undefined : decodeText(bytes);
  if (!key?.startsWith(topicPrefix)) return undefined;
  const colon = key.indexOf(":");
  if (colon < 0 || !key.startsWith(topicSeparator, colon)) return undefined;
  const topic = key.slice(topicPrefix.length, colon);
  const connector = connectorName(key.slice(colon + topicSeparator.length));
  return topic === "" || connector === "" ? undefined : { topic, connector };
}

/** Undefined for a value that cannot be read. */
export function decodeTopicUse(bytes: Uint8Array): TopicUse | undefined {
  const { topic: use } = decodeObject(bytes) ?? {};
  if (typeof use !== "object" || use === null) return undefined;
  const { name, connector, task, discoverTimestamp } = use as Record<string, unknown>;
  if (typeof name !== "string" || typeof connector !== "string") return undefined;
  if (typeof task !== "number" || typeof discoverTimestamp !== "number") return undefined;
  return {
    topic: name,
    connector: connectorName(connector),
    task,
    discoveredMs: discoverTimestamp,
  };
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
