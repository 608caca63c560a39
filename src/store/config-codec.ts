/** The records of the config topic, byte for byte as Apache Connect writes them. */
import type {
  ConfigChange,
  ConfigText,
  RestartOptions,
  SessionKey,
} from "../state/config-record.ts";
import { type ConnectorName, connectorName } from "../state/id.ts";
import type { TargetState } from "../state/status.ts";
import { decodeObject, decodeText, encodeJson, encodeText } from "./java-json.ts";

export interface EncodedRecord {
  key: Uint8Array;
  value: Uint8Array | null;
}

export function encodeConnector(name: ConnectorName, config: ConfigText | null): EncodedRecord {
  return record(`connector-${name}`, config === null ? null : { properties: config });
}

export function encodeTask(name: ConnectorName, task: number, config: ConfigText): EncodedRecord {
  return record(`task-${name}-${task}`, { properties: config });
}

export function encodeCommit(name: ConnectorName, taskCount: number): EncodedRecord {
  return record(`commit-${name}`, { tasks: taskCount });
}

/** Workers before `state.v2` do not know STOPPED: they see PAUSED. */
export function encodeTargetState(name: ConnectorName, target: TargetState | null): EncodedRecord {
  const value =
    target === null
      ? null
      : { state: target === "STOPPED" ? "PAUSED" : target, "state.v2": target };
  return record(`target-state-${name}`, value);
}

export function encodeRestart(name: ConnectorName, options: RestartOptions): EncodedRecord {
  return record(`restart-connector-${name}`, {
    "include-tasks": options.includeTasks,
    "only-failed": options.onlyFailed,
  });
}

/** How many tasks may have to be fenced before the next set of them starts (KIP-618). */
export function encodeTaskCount(name: ConnectorName, taskCount: number): EncodedRecord {
  return record(`tasks-fencing-${name}`, { "task-count": taskCount });
}

export function encodeSessionKey({ key, algorithm, createdMs }: SessionKey): EncodedRecord {
  return record("session-key", { key, algorithm, "creation-timestamp": createdMs });
}

export function encodeLoggerLevel(logger: string, level: string): EncodedRecord {
  return record(`logger-cluster-${logger}`, { level });
}

function record(key: string, value: unknown): EncodedRecord {
  return { key: encodeText(key), value: value === null ? null : encodeJson(value) };
}

type Decode = (rest: string, value: Record<string, unknown> | null) => ConfigChange | string;

/** In this order: the first prefix that fits decides. A string is the reason to ignore the record. */
const kinds: readonly { prefix: string; decode: Decode }[] = [
  { prefix: "target-state-", decode: decodeTargetState },
  { prefix: "connector-", decode: decodeConnector },
  { prefix: "task-", decode: decodeTask },
  { prefix: "commit-", decode: decodeCommit },
  { prefix: "restart-connector-", decode: decodeRestart },
  { prefix: "tasks-fencing-", decode: decodeTaskCount },
  { prefix: "session-key", decode: decodeSessionKey },
  { prefix: "logger-cluster-", decode: decodeLoggerLevel },
];

/** Never throws: what cannot be read is "ignored", with the reason. */
export function decodeConfigRecord(
  keyBytes: Uint8Array | null,
  valueBytes: Uint8Array | null,
): ConfigChange {
  const key = keyBytes === null ? undefined : decodeText(keyBytes);
  if (key === undefined) return { at: "ignored", key: "", reason: "its key is not a text" };
  const kind = kinds.find(({ prefix }) => key.startsWith(prefix));
  if (kind === undefined) return { at: "ignored", key, reason: "its kind is not known" };
  const value = valueBytes === null ? null : decodeObject(valueBytes);
  if (value === undefined) return { at: "ignored", key, reason: "its value is not a JSON object" };
  const change = kind.decode(key.slice(kind.prefix.length), value);
  return typeof change === "string" ? { at: "ignored", key, reason: change } : change;
}

function decodeTargetState(name: string, value: Record<string, unknown> | null) {
  const connector = connectorName(name);
  if (value === null) return { at: "target-state", connector, target: null } as const;
  const target = value["state.v2"] ?? value["state"];
  if (target !== "STARTED" && target !== "PAUSED" && target !== "STOPPED") {
    return `its target state ${String(target)} is not known`;
  }
  return { at: "target-state", connector, target } as const;
}

function decodeConnector(name: string, value: Record<string, unknown> | null) {
  const connector = connectorName(name);
  if (value === null) return { at: "connector", connector, config: null } as const;
  const config = properties(value);
  return config === undefined
    ? "it has no properties"
    : ({ at: "connector", connector, config } as const);
}

/** The number stands after the last dash: names may have dashes of their own. */
function decodeTask(rest: string, value: Record<string, unknown> | null) {
  const [, name, number] = /^(.*)-(\d{1,9})$/s.exec(rest) ?? [];
  if (name === undefined) return "its key has no task number";
  if (value === null) return "task configs are not deleted one by one";
  const config = properties(value);
  if (config === undefined) return "it has no properties";
  return { at: "task", connector: connectorName(name), task: Number(number), config } as const;
}

function decodeCommit(name: string, value: Record<string, unknown> | null) {
  const taskCount = count(value?.["tasks"]);
  if (taskCount === undefined) return "it has no number of tasks";
  return { at: "commit", connector: connectorName(name), taskCount } as const;
}

function decodeRestart(name: string, value: Record<string, unknown> | null) {
  if (value === null) return "a restart request without a value";
  const options = {
    includeTasks: value["include-tasks"] === true,
    onlyFailed: value["only-failed"] === true,
  };
  return { at: "restart", connector: connectorName(name), options } as const;
}

function decodeTaskCount(name: string, value: Record<string, unknown> | null) {
  const taskCount = count(value?.["task-count"]);
  if (taskCount === undefined) return "it has no number of tasks";
  return { at: "task-count", connector: connectorName(name), taskCount } as const;
}

function decodeSessionKey(_: string, value: Record<string, unknown> | null) {
  const { key, algorithm, "creation-timestamp": createdMs } = value ?? {};
  if (typeof key !== "string" || typeof algorithm !== "string" || typeof createdMs !== "number") {
    return "it is no session key";
  }
  return { at: "session-key", sessionKey: { key, algorithm, createdMs } } as const;
}

function decodeLoggerLevel(logger: string, value: Record<string, unknown> | null) {
  const level = value?.["level"];
  return typeof level === "string" ? ({ at: "logger-level", logger, level } as const) : "no level";
}

/** The most tasks that a record is believed to speak of (I5). */
const taskCountMax = 100_000;

function count(value: unknown): number | undefined {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= taskCountMax
    ? (value as number)
    : undefined;
}

function properties(value: Record<string, unknown>): ConfigText | undefined {
  const members = value["properties"];
  if (typeof members !== "object" || members === null || Array.isArray(members)) return undefined;
  const texts = Object.entries(members).filter(([, text]) => text !== null);
  return Object.fromEntries(texts.map(([key, text]) => [key, String(text)]));
}
