/**
 * What the config topic adds up to. I3: nobody changes this but `fold`, and nobody calls `fold` but
 * the reader of the topic; a worker that wants a change appends a record and reads it back.
 */
import type { ConfigRecord, ConfigText, RestartOptions, SessionKey } from "./config-record.ts";
import type { ConnectorName } from "./id.ts";
import type { TargetState } from "./status.ts";

/** One connector, as far as the topic has been read. */
export interface ConnectorEntry {
  /** Undefined once deleted; what must outlive a deletion stays in the entry. */
  readonly config: ConfigText | undefined;
  /** The offset of the record that wrote the config; a rewrite of the same config is a new one. */
  readonly configRevision: number;
  /** Undefined where no record says one; use `targetState`. */
  readonly target: TargetState | undefined;
  /** Of the last commit, also when its set was incomplete. */
  readonly taskCount: number;
  /** The committed set by number; empty while it is inconsistent. */
  readonly taskConfigs: readonly ConfigText[];
  /** The offset of the commit that made the set valid. I4: the generation of these tasks. */
  readonly tasksRevision: number;
  /** Written but not committed yet. */
  readonly buffered: ReadonlyMap<number, ConfigText>;
  /** The connector config that was in force at the last commit. */
  readonly appliedConfig: ConfigText | undefined;
  /** A commit named tasks that were not written: nothing runs until a good commit. */
  readonly inconsistent: boolean;
  /** Number of committed sets so far, minus one. */
  readonly generation: number;
  /** Of the last `tasks-fencing` record. */
  readonly taskCountRecord: number | undefined;
  /** A commit came after the last `tasks-fencing` record. */
  readonly pendingFencing: boolean;
  /** The offset of the last restart request of each rank (`restartRank`), -1 for none. */
  readonly restartOffsets: readonly number[];
}

/** Everything the topic said up to `nextOffset`. */
export interface ClusterState {
  /** The number that workers compare: the offset of the last record read, plus one. */
  readonly nextOffset: number;
  readonly connectors: ReadonlyMap<ConnectorName, ConnectorEntry>;
  readonly sessionKey: SessionKey | undefined;
  readonly loggerLevels: ReadonlyMap<string, string>;
}

/** Before the first record. */
export const emptyState: ClusterState = {
  nextOffset: 0,
  connectors: new Map(),
  sessionKey: undefined,
  loggerLevels: new Map(),
};

const newEntry: ConnectorEntry = {
  config: undefined,
  configRevision: -1,
  target: undefined,
  taskCount: 0,
  taskConfigs: [],
  tasksRevision: -1,
  buffered: new Map(),
  appliedConfig: undefined,
  inconsistent: false,
  generation: -1,
  taskCountRecord: undefined,
  pendingFencing: false,
  restartOffsets: [-1, -1, -1, -1],
};

/** The state after one more record. The arguments stay as they are. */
export function fold(state: ClusterState, record: ConfigRecord): ClusterState {
  return foldAll(state, [record]);
}

/** `fold` over many records with one copy of the state: replaying a topic stays linear. */
export function foldAll(state: ClusterState, records: Iterable<ConfigRecord>): ClusterState {
  const connectors = new Map(state.connectors);
  const loggerLevels = new Map(state.loggerLevels);
  let { nextOffset, sessionKey } = state;
  for (const { offset, change } of records) {
    nextOffset = offset + 1;
    if (change.at === "ignored") continue;
    if (change.at === "session-key") sessionKey = change.sessionKey;
    else if (change.at === "logger-level") loggerLevels.set(change.logger, change.level);
    else {
      const entry = connectors.get(change.connector) ?? newEntry;
      connectors.set(change.connector, changed(entry, change, offset));
    }
  }
  return { nextOffset, connectors, sessionKey, loggerLevels };
}

type ConnectorChange = Extract<ConfigRecord["change"], { connector: ConnectorName }>;

function changed(entry: ConnectorEntry, change: ConnectorChange, offset: number): ConnectorEntry {
  switch (change.at) {
    case "connector":
      return change.config === null
        ? removed(entry)
        : { ...entry, config: change.config, configRevision: offset };
    case "task":
      return {
        ...entry,
        buffered: new Map(entry.buffered).set(change.task, change.config),
      };
    case "commit":
      return committed(entry, change.taskCount, offset);
    case "target-state":
      return { ...entry, target: change.target ?? undefined };
    case "restart": {
      const restartOffsets = [...entry.restartOffsets];
      restartOffsets[restartRank(change.options)] = offset;
      return { ...entry, restartOffsets };
    }
    case "task-count":
      return { ...entry, taskCountRecord: change.taskCount, pendingFencing: false };
  }
}

/** What a worker needs to fence tasks of a deleted connector that still run somewhere is kept. */
function removed(entry: ConnectorEntry): ConnectorEntry {
  const { generation, taskCountRecord, pendingFencing, target } = entry;
  return { ...newEntry, generation, taskCountRecord, pendingFencing, target };
}

function committed(entry: ConnectorEntry, taskCount: number, offset: number): ConnectorEntry {
  // The connector was deleted and its own record compacted away.
  if (entry.config === undefined) return { ...removed(entry), buffered: new Map() };
  const configs: ConfigText[] = [];
  for (let task = 0; task < taskCount; task += 1) {
    const config = entry.buffered.get(task);
    if (config === undefined) {
      return {
        ...entry,
        taskCount,
        taskConfigs: [],
        buffered: new Map(),
        inconsistent: true,
        pendingFencing: true,
      };
    }
    configs.push(config);
  }
  return {
    ...entry,
    taskCount,
    taskConfigs: configs,
    tasksRevision: offset,
    buffered: new Map(),
    appliedConfig: entry.config,
    inconsistent: false,
    generation: entry.buffered.size > 0 ? entry.generation + 1 : entry.generation,
    pendingFencing: true,
  };
}

/** The impact of a restart: a pending request gives way only to one of a higher rank. */
export function restartRank({ includeTasks, onlyFailed }: RestartOptions): number {
  return (onlyFailed ? 0 : 2) + (includeTasks ? 1 : 0);
}

/** The options that have this rank. */
export function restartOfRank(rank: number): RestartOptions {
  return { onlyFailed: rank < 2, includeTasks: rank % 2 === 1 };
}

/** A connector that exists, else undefined. */
export function findConnector(
  state: ClusterState,
  name: ConnectorName,
): (ConnectorEntry & { readonly config: ConfigText }) | undefined {
  const entry = state.connectors.get(name);
  if (entry?.config === undefined) return undefined;
  return entry as ConnectorEntry & { readonly config: ConfigText };
}

/** The names of the connectors that exist, in the order they were first seen. */
export function connectorNames(state: ClusterState): ConnectorName[] {
  return [...state.connectors.keys()].filter((name) => findConnector(state, name) !== undefined);
}

/** What the user wants of a connector: STARTED unless a record says otherwise. */
export function targetState(entry: ConnectorEntry): TargetState {
  return entry.target ?? "STARTED";
}

/**
 * The restart that is still to be done: of the requests at `fromOffset` and later the one with the
 * highest rank.
 */
export function pendingRestart(
  entry: ConnectorEntry,
  fromOffset: number,
): RestartOptions | undefined {
  for (let rank = entry.restartOffsets.length - 1; rank >= 0; rank -= 1) {
    if ((entry.restartOffsets[rank] ?? -1) >= fromOffset) return restartOfRank(rank);
  }
  return undefined;
}
