/**
 * A herder without a log, a worker or a plugin: commands take effect at once and everything runs.
 * It keeps the promises of the door, in the words of a standalone Connect.
 */
import { RequestError } from "../../src/base/error.ts";
import type { SubmittedConfig } from "../../src/config/parse.ts";
import { refuseInvalid } from "../../src/config/validate-connector.ts";
import type { ConfigInfos } from "../../src/config/validation.ts";
import type {
  ConnectorInfo,
  Herder,
  StatusInfo,
  TaskInfo,
  TaskStatusInfo,
} from "../../src/herder/herder.ts";
import type { ConnectorConfig, PluginCatalog } from "../../src/plugin/plugin.ts";
import type { ConnectorState, TargetState } from "../../src/state/status.ts";

interface Entry {
  config: ConnectorConfig;
  target: TargetState;
  /** Made while it was running; a paused connector that never ran has none. */
  tasks: readonly TaskInfo[];
}

export interface MemoryHerderParts {
  readonly catalog: PluginCatalog;
  readonly validate: (config: SubmittedConfig) => Promise<ConfigInfos>;
  readonly ready?: Promise<void>;
  readonly ping?: () => Promise<void>;
}

const workerId = "memory:0";
const states: Readonly<Record<TargetState, ConnectorState>> = {
  STARTED: "RUNNING",
  PAUSED: "PAUSED",
  STOPPED: "STOPPED",
};

export class MemoryHerder implements Herder {
  readonly kafkaClusterId = "memory-cluster";
  readonly ready: Promise<void>;
  readonly #parts: MemoryHerderParts;
  readonly #entries = new Map<string, Entry>();

  constructor(parts: MemoryHerderParts) {
    this.#parts = parts;
    this.ready = parts.ready ?? Promise.resolve();
  }

  async ping(): Promise<void> {
    await this.#parts.ping?.();
  }

  connectors(): readonly string[] {
    return [...this.#entries.keys()];
  }

  async connector(name: string): Promise<ConnectorInfo> {
    return this.#info(name, this.#entry(name));
  }

  async config(name: string): Promise<ConnectorConfig> {
    return this.#entry(name).config;
  }

  async tasks(name: string): Promise<readonly TaskInfo[]> {
    return this.#entry(name).tasks;
  }

  status(name: string): StatusInfo {
    const entry = this.#entries.get(name);
    if (!entry) throw missing(`No status found for connector ${name}`);
    const { version, kind } = this.#class(entry.config);
    const state = states[entry.target];
    return {
      name,
      connector: { state, worker_id: workerId, version },
      tasks: entry.tasks.map(({ id }) => ({
        id: id.task,
        state: state === "PAUSED" ? "PAUSED" : "RUNNING",
        worker_id: workerId,
        version,
      })),
      type: kind === "source" || kind === "sink" ? kind : "unknown",
    };
  }

  taskStatus(name: string, task: number): TaskStatusInfo {
    const entry = this.#entries.get(name);
    const found = entry && this.status(name).tasks.find(({ id }) => id === task);
    if (!found) throw missing(`No status found for task ${name}-${task}`);
    return found;
  }

  async create(
    name: string,
    config: ConnectorConfig,
    initialState: TargetState | undefined,
  ): Promise<ConnectorInfo> {
    refuseInvalid(await this.#parts.validate(config));
    if (this.#entries.has(name)) {
      const text = `Connector ${name} already exists`;
      throw new RequestError("herder.connector_exists", text, { status: 409 });
    }
    const target = initialState ?? "STARTED";
    const tasks = target === "STARTED" ? this.#taskConfigs(name, config) : [];
    this.#entries.set(name, { config, target, tasks });
    return this.connector(name);
  }

  async putConfig(
    name: string,
    config: ConnectorConfig,
  ): Promise<{ created: boolean; info: ConnectorInfo }> {
    const old = this.#entries.get(name);
    if (!old) return { created: true, info: await this.create(name, config, undefined) };
    refuseInvalid(await this.#parts.validate(config));
    old.config = config;
    if (old.target === "STARTED") old.tasks = this.#taskConfigs(name, config);
    return { created: false, info: this.#info(name, old) };
  }

  async delete(name: string): Promise<void> {
    this.#entry(name);
    this.#entries.delete(name);
  }

  activeTopics(): readonly string[] {
    return [];
  }

  async resetActiveTopics(): Promise<void> {}

  async pause(name: string): Promise<void> {
    this.#known(name).target = "PAUSED";
  }

  async resume(name: string): Promise<void> {
    const entry = this.#known(name);
    entry.target = "STARTED";
    entry.tasks = this.#taskConfigs(name, entry.config);
  }

  async stop(name: string): Promise<void> {
    const entry = this.#entries.get(name);
    if (!entry) throw new Error(`No connector \`${name}\` configured`);
    entry.target = "STOPPED";
    entry.tasks = [];
  }

  async restart(
    name: string,
    { includeTasks, onlyFailed }: { includeTasks: boolean; onlyFailed: boolean },
  ): Promise<StatusInfo | undefined> {
    const entry = this.#entries.get(name);
    if (!includeTasks && !onlyFailed) {
      if (!entry) throw new Error(`cannot restart connector ${name}, it does not exist`);
      return undefined;
    }
    if (!entry) throw missing(`Unknown connector: ${name}`);
    const status = this.status(name);
    if (onlyFailed) return status;
    return {
      ...status,
      connector: { ...status.connector, state: "RESTARTING" },
      tasks: status.tasks.map((task) => ({ ...task, state: "RESTARTING" })),
    };
  }

  async restartTask(name: string, task: number): Promise<void> {
    const entry = this.#entries.get(name);
    const id = `${name}-${task}`;
    if (!entry) {
      throw new Error(
        `Failed to start task ${id} since it is not a recognizable type (source or sink)`,
      );
    }
    if (!entry.tasks[task]) throw missing(`Task ${id} not found`);
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (!entry) throw missing(`Connector ${name} not found`);
    return entry;
  }

  #known(name: string): Entry {
    const entry = this.#entries.get(name);
    if (!entry) throw missing(`Unknown connector ${name}`);
    return entry;
  }

  #info(name: string, { config, tasks }: Entry): ConnectorInfo {
    const { kind } = this.#class(config);
    return {
      name,
      config,
      tasks: tasks.map(({ id }) => id),
      type: kind === "source" || kind === "sink" ? kind : "unknown",
    };
  }

  /** One task for a source and tasks.max for a sink, as the file connectors do. */
  #taskConfigs(name: string, config: ConnectorConfig): readonly TaskInfo[] {
    const { kind, taskClass } = this.#class(config);
    const length = kind === "sink" ? Number(config["tasks.max"] ?? "1") : 1;
    return Array.from({ length }, (_, task) => ({
      id: { connector: name, task },
      config: { ...config, "task.class": taskClass },
    }));
  }

  #class(config: ConnectorConfig) {
    const found = this.#parts.catalog.find(config["connector.class"] ?? "", ["source", "sink"]);
    if (!found) throw new Error("the config was not validated");
    return found;
  }
}

function missing(message: string): RequestError {
  return new RequestError("herder.connector_unknown", message, { status: 404 });
}
