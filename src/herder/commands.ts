/**
 * The commands of users: each checks, appends to the config log (I3: it changes nothing itself) and
 * waits until the loop has brought about what it asked for. Answers and texts are those of a
 * standalone Connect worker.
 */
import { RequestError } from "../base/error.ts";
import { refuseInvalid } from "../config/validate-connector.ts";
import type { ConfigInfos } from "../config/validation.ts";
import type { PluginClass } from "../plugin/plugin.ts";
import { connectorNames, findConnector, targetState } from "../state/cluster-state.ts";
import type { ConfigText, RestartOptions } from "../state/config-record.ts";
import { type ConnectorName, connectorName, type TaskId, taskText } from "../state/id.ts";
import type { TargetState } from "../state/status.ts";
import type { ConfigStore, StatusStore } from "../store/store.ts";
import type { Worker } from "../worker/worker.ts";
import type { ConnectorInfo, Herder, StatusInfo, TaskInfo, TaskStatusInfo } from "./herder.ts";
import type { Loop } from "./loop.ts";
import { restartPlan } from "./restart-plan.ts";
import { statusInfo, taskStatusInfo } from "./status-info.ts";
import type { TaskConfigs } from "./task-configs.ts";

export interface CommandsParts {
  readonly kafkaClusterId: string;
  readonly ready: Promise<void>;
  readonly store: ConfigStore;
  readonly statuses: StatusStore;
  readonly worker: Worker;
  readonly loop: Loop;
  readonly taskConfigs: TaskConfigs;
  readonly findClass: (name: string) => PluginClass | undefined;
  readonly validate: (config: ConfigText) => Promise<ConfigInfos>;
  readonly onNew: (config: ConfigText) => void;
  readonly exclusive: <T>(work: () => Promise<T>) => Promise<T>;
}

/** How far a connector has come with one revision of its config. */
type Progress = { at: "settled" } | { at: "failed"; error: unknown };

const settled: Progress = { at: "settled" };

export class Commands implements Herder {
  readonly kafkaClusterId: string;
  readonly ready: Promise<void>;
  readonly #parts: CommandsParts;

  constructor(parts: CommandsParts) {
    this.#parts = parts;
    this.kafkaClusterId = parts.kafkaClusterId;
    this.ready = parts.ready;
  }

  async ping(): Promise<void> {
    await this.#parts.loop.until(() => true);
  }

  connectors(): readonly string[] {
    return connectorNames(this.#parts.store.state);
  }

  async connector(name: string): Promise<ConnectorInfo> {
    return this.#info(connectorName(name));
  }

  async config(name: string): Promise<ConfigText> {
    return this.#found(name).config;
  }

  async tasks(name: string): Promise<readonly TaskInfo[]> {
    const { taskConfigs } = this.#found(name);
    return taskConfigs.map((config, task) => ({ id: { connector: name, task }, config }));
  }

  status(name: string): StatusInfo {
    const parts = this.#statusParts(connectorName(name));
    if (parts === undefined) {
      throw notFound("herder.status_unknown", `No status found for connector ${name}`);
    }
    return statusInfo(parts);
  }

  taskStatus(name: string, task: number): TaskStatusInfo {
    const id = { connector: connectorName(name), task };
    const status = this.#parts.statuses.task(id);
    if (status === undefined) {
      throw notFound("herder.status_unknown", `No status found for task ${taskText(id)}`);
    }
    return taskStatusInfo(task, status);
  }

  async create(
    name: string,
    config: ConfigText,
    initialState: TargetState | undefined,
  ): Promise<ConnectorInfo> {
    const id = connectorName(name);
    if (initialState === undefined || initialState === "STARTED") this.#announce(name, config);
    const named = await this.#validated(id, config);
    await this.#parts.exclusive(async () => {
      if (this.#find(name) !== undefined) {
        const message = `Connector ${name} already exists`;
        throw new RequestError("herder.connector_exists", message, { status: 409 });
      }
      await this.#parts.store.putConnector(id, named, initialState);
    });
    await this.#settle(id);
    return this.#info(id);
  }

  async putConfig(
    name: string,
    config: ConfigText,
  ): Promise<{ created: boolean; info: ConnectorInfo }> {
    const id = connectorName(name);
    this.#announce(name, config);
    const named = await this.#validated(id, config);
    const created = await this.#parts.exclusive(async () => {
      const isNew = this.#find(name) === undefined;
      await this.#parts.store.putConnector(id, named);
      return isNew;
    });
    await this.#settle(id);
    return { created, info: this.#info(id) };
  }

  async delete(name: string): Promise<void> {
    const { exclusive, loop, statuses, store } = this.#parts;
    const id = connectorName(name);
    await exclusive(async () => {
      this.#found(name);
      await store.removeConnector(id);
    });
    await loop.until(() => this.#find(name) !== undefined || this.#isGone(id) || undefined);
    await statuses.flush();
  }

  pause(name: string): Promise<void> {
    return this.#setTarget(name, "PAUSED");
  }

  resume(name: string): Promise<void> {
    return this.#setTarget(name, "STARTED");
  }

  async stop(name: string): Promise<void> {
    const { exclusive, loop, statuses, store } = this.#parts;
    const id = connectorName(name);
    await exclusive(async () => {
      if (this.#find(name) === undefined) {
        const message = `No connector \`${name}\` configured`;
        throw new RequestError("herder.connector_unknown", message, { status: 500 });
      }
      await store.stopConnector(id);
    });
    await loop.until(() => {
      const entry = this.#find(name);
      if (entry === undefined || targetState(entry) !== "STOPPED") return true;
      const { connectors, tasks } = this.#parts.worker.running();
      const isStopped = connectors.get(id)?.at === "stopped";
      return (
        (isStopped && ![...tasks.values()].some((task) => task.id.connector === id)) || undefined
      );
    });
    await statuses.flush();
  }

  async restart(name: string, options: RestartOptions): Promise<StatusInfo | undefined> {
    if (!options.includeTasks && !options.onlyFailed) return this.#restartConnector(name);
    const id = connectorName(name);
    return this.#parts.exclusive(async () => {
      if (this.#find(name) === undefined) {
        throw notFound("herder.connector_unknown", `Unknown connector: ${name}`);
      }
      const parts = this.#statusParts(id);
      if (parts === undefined) {
        throw notFound("herder.status_unknown", `Status for connector ${name} not found`);
      }
      // Taken before the request is read back: from then on the states change.
      const hit = restartPlan(options, parts.connector, parts.tasks);
      await this.#parts.store.putRestart(id, options);
      return statusInfo(parts, hit);
    });
  }

  async restartTask(name: string, task: number): Promise<void> {
    const { loop, statuses, worker } = this.#parts;
    const id: TaskId = { connector: connectorName(name), task };
    const key = taskText(id);
    if (this.#find(name) === undefined) {
      const message = `Failed to start task ${key} since it is not a recognizable type (source or sink)`;
      throw new RequestError("herder.connector_unknown", message, { status: 500 });
    }
    const isWanted = () => this.#find(name)?.taskConfigs[task] !== undefined;
    if (!isWanted()) throw notFound("herder.task_unknown", `Task ${key} not found`);
    const before = worker.running().tasks.get(key)?.incarnation ?? 0;
    loop.restart([], [id]);
    await loop.until(() => {
      const now = worker.running().tasks.get(key)?.incarnation ?? 0;
      return now > before || !isWanted() || undefined;
    });
    // Whoever asks now must not see the state from before.
    await statuses.flush();
  }

  activeTopics(name: string): readonly string[] {
    return this.#parts.statuses.topics(connectorName(name));
  }

  async resetActiveTopics(name: string): Promise<void> {
    const { statuses } = this.#parts;
    statuses.forgetTopics(connectorName(name));
    await statuses.flush();
  }

  async #restartConnector(name: string): Promise<undefined> {
    const { loop, worker } = this.#parts;
    const id = connectorName(name);
    if (this.#find(name) === undefined) {
      // Connect answers 500 with an accident's text here; the code is kept, the words say more.
      const message = `Cannot restart connector ${name}: it does not exist`;
      throw new RequestError("herder.connector_unknown", message, { status: 500 });
    }
    const before = worker.running().connectors.get(id)?.incarnation ?? 0;
    loop.restart([id], []);
    await this.#settle(id, before);
  }

  async #setTarget(name: string, target: TargetState): Promise<void> {
    await this.#parts.exclusive(async () => {
      if (this.#find(name) === undefined) {
        throw notFound("herder.connector_unknown", `Unknown connector ${name}`);
      }
      await this.#parts.store.putTargetState(connectorName(name), target);
    });
  }

  /** The process of a connector that there is not yet starts while its config is checked. */
  #announce(name: string, config: ConfigText): void {
    if (this.#find(name) === undefined) this.#parts.onNew(config);
  }

  /** The config with its name, once the plugin and the host have nothing against it. */
  async #validated(name: ConnectorName, config: ConfigText): Promise<ConfigText> {
    const named = config["name"] === undefined ? { ...config, name } : config;
    refuseInvalid(await this.#parts.validate(named));
    return named;
  }

  /**
   * Waits until the connector, started after the given incarnation with the config that was read
   * last, runs and has its tasks, or is paused or stopped as wanted.
   */
  async #settle(name: ConnectorName, after = 0): Promise<void> {
    const { loop, statuses, store } = this.#parts;
    const revision = findConnector(store.state, name)?.configRevision;
    const progress = await loop.until((): Progress | undefined => {
      const entry = findConnector(store.state, name);
      if (entry === undefined || entry.configRevision !== revision) return settled;
      return this.#progress(name, revision, after);
    });
    await statuses.flush();
    if (progress.at === "settled") return;
    const { error: cause } = progress;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new RequestError("herder.start_failed", message, { status: 500, cause });
  }

  #progress(name: ConnectorName, revision: number, after: number): Progress | undefined {
    const running = this.#parts.worker.running().connectors.get(name);
    if (running === undefined || running.revision !== revision) return undefined;
    if (running.incarnation <= after) return undefined;
    if (running.at === "failed") return { at: "failed", error: running.error };
    if (running.at === "paused" || running.at === "stopped") return settled;
    // Nobody can say when somebody starts its plugin by hand.
    if (running.at === "waiting") return settled;
    if (running.at !== "running") return undefined;
    const making = this.#parts.taskConfigs.making(name);
    if (making?.request.incarnation !== running.incarnation || making.at === "making") {
      return undefined;
    }
    return making.error === undefined ? settled : { at: "failed", error: making.error };
  }

  #isGone(name: ConnectorName): boolean {
    const { connectors, tasks } = this.#parts.worker.running();
    return !connectors.has(name) && ![...tasks.values()].some(({ id }) => id.connector === name);
  }

  #find(name: string) {
    return findConnector(this.#parts.store.state, connectorName(name));
  }

  #found(name: string) {
    const entry = this.#find(name);
    if (entry === undefined) {
      throw notFound("herder.connector_unknown", `Connector ${name} not found`);
    }
    return entry;
  }

  #info(name: ConnectorName): ConnectorInfo {
    const { config, taskConfigs } = this.#found(name);
    const tasks = taskConfigs.map((_, task) => ({ connector: name, task }));
    return { name, config, tasks, type: this.#type(name) };
  }

  #type(name: ConnectorName): ConnectorInfo["type"] {
    const { config } = findConnector(this.#parts.store.state, name) ?? {};
    const kind = this.#parts.findClass(config?.["connector.class"] ?? "")?.kind;
    return kind === "source" || kind === "sink" ? kind : "unknown";
  }

  #statusParts(name: ConnectorName) {
    const { statuses } = this.#parts;
    const connector = statuses.connector(name);
    if (connector === undefined) return undefined;
    return { name, type: this.#type(name), connector, tasks: statuses.tasks(name) };
  }
}

function notFound(
  code: "herder.connector_unknown" | "herder.status_unknown" | "herder.task_unknown",
  message: string,
): RequestError {
  return new RequestError(code, message, { status: 404 });
}
