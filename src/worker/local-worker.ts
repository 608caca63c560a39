import type { Clock } from "../base/clock.ts";
import { within } from "../base/deadline.ts";
import { FencedError, TaskError } from "../base/error.ts";
import type { Connector, CreateConnector } from "../connector/connector.ts";
import type { Logger } from "../observe/logger.ts";
import type { Failure, PluginClass, PluginProcesses } from "../plugin/plugin.ts";
import type { ConfigText } from "../state/config-record.ts";
import { type ConnectorName, connectorName, type TaskId, taskText } from "../state/id.ts";
import type { TargetState, TaskState } from "../state/status.ts";
import { tooManyTasks } from "../state/tasks-max.ts";
import type { CreateTask, Task, TaskLimits, TaskParts, TaskSpec } from "../task/task.ts";
import { Instance } from "./instance.ts";
import { type RestartBounds, Restarts, restartPolicy } from "./restart-policy.ts";
import type {
  ConnectorStart,
  OnStatus,
  Running,
  RunningConnector,
  RunningTask,
  StopWord,
  TaskStart,
  TaskView,
  Worker,
} from "./worker.ts";

export interface LocalWorkerOptions {
  /** `host:port`, as statuses show it. */
  readonly workerId: string;
  /** Of the group, now. */
  readonly generation: () => number;
  /** Of the class and version that a config asks for; sources and sinks only. */
  readonly findClass: (config: ConfigText) => PluginClass | undefined;
  /** Resolves once it is known whether there is such a class: its plugin may have come just now. */
  readonly lookForClass?: (config: ConfigText, signal: AbortSignal) => Promise<void>;
  readonly processes: Pick<PluginProcesses, "acquire"> & Partial<Pick<PluginProcesses, "attached">>;
  /** Before each start of a connector. @throws ConfigError for what keeps it from starting */
  readonly checkConnector?: (found: PluginClass, config: ConfigText) => void;
  readonly createConnector: CreateConnector;
  readonly createTask: CreateTask;
  /** `attempt`: which run of the task this is, for its log. */
  readonly taskParts: (spec: TaskSpec, plugin: PluginClass, attempt: number) => TaskParts;
  readonly limits: TaskLimits;
  readonly connectorStopMsMax: number;
  /** The budget of all tasks together when the worker stops: `task.shutdown.graceful.timeout.ms`. */
  readonly tasksStopMsMax: number;
  readonly restartPolicy: "none" | "on-failure";
  readonly restartBounds: RestartBounds;
  /** 0 to 1: the jitter of restarts. */
  readonly random?: () => number;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly onStatus: OnStatus;
  /** `running` has changed. */
  readonly onChange: () => void;
}

/** See the door. */
export function createLocalWorker(options: LocalWorkerOptions): Worker {
  return new LocalWorker(options);
}

/** Beyond a deadline that instances keep themselves: killing a process takes a moment. */
const stopGraceMs = 5_000;

/** How many tasks' last generations are remembered (I5). */
const generationsMax = 10_000;

interface ConnectorSlot {
  readonly instance: Instance<Connector>;
  readonly revision: number;
  readonly incarnation: number;
  tasksWanted: number;
  ended: Promise<void>;
}

interface TaskSlot {
  readonly instance: Instance<Task>;
  readonly id: TaskId;
  readonly generation: number;
  readonly incarnation: number;
  ended: Promise<void>;
}

class LocalWorker implements Worker {
  readonly #options: LocalWorkerOptions;
  readonly #connectors = new Map<ConnectorName, ConnectorSlot>();
  readonly #tasks = new Map<string, TaskSlot>();
  /** The newest generation that ran here, by task. */
  readonly #generations = new Map<string, number>();
  #incarnations = 0;

  constructor(options: LocalWorkerOptions) {
    this.#options = options;
  }

  running(): Running {
    const connectors = [...this.#connectors].map(
      ([name, slot]): [ConnectorName, RunningConnector] => {
        const { revision, incarnation, tasksWanted, instance } = slot;
        const { at, target, error } = instance;
        return [name, { at, target, error, revision, incarnation, tasksWanted }];
      },
    );
    const tasks = [...this.#tasks].map(([key, slot]): [string, RunningTask] => {
      const { id, generation, incarnation, instance } = slot;
      const { at, target, error } = instance;
      return [key, { id, at, target, error, generation, incarnation }];
    });
    return { connectors: new Map(connectors), tasks: new Map(tasks) };
  }

  startConnector({ name, config, revision, target }: ConnectorStart): void {
    if (this.#connectors.has(name)) return;
    const { clock, connectorStopMsMax, createConnector, logger, onChange, processes } =
      this.#options;
    let plugin = this.#find(config);
    const instance = new Instance<Connector>({
      label: `connector ${name}`,
      target,
      restarts: this.#restarts(config),
      logger: logger.child({ connector: name }),
      plugin: () => plugin?.plugin.name,
      clock,
      prepare: async (signal) => {
        plugin = await this.#look(config, signal);
      },
      arrival: (signal) => this.#arrival(plugin, signal),
      create: (now, onState, attempt) => {
        const found = this.#orUnknown(plugin, config);
        this.#options.checkConnector?.(found, config);
        const { className, plugin: manifest } = found;
        const spec = { name, className, config, stopMsMax: connectorStopMsMax };
        const acquireProcess = (signal: AbortSignal) =>
          processes.acquire({ plugin: manifest, connector: name }, signal);
        const bound = logger.child({ connector: name, plugin: manifest.name, attempt });
        return createConnector(spec, { acquireProcess, logger: bound }, now, (state) => {
          if (state === "RUNNING") this.#wantTasks(name);
          onState(state);
        });
      },
      onStatus: (state, trace, safe) => {
        const status = { ...this.#status(plugin, trace), state };
        this.#options.onStatus({ connector: name, status, safe });
      },
      onChange,
    });
    const slot = {
      instance,
      revision,
      incarnation: this.#nextIncarnation(),
      tasksWanted: 0,
      ended: Promise.resolve(),
    };
    this.#connectors.set(name, slot);
    slot.ended = this.#live(instance, () => this.#connectors.delete(name));
  }

  stopConnector(name: ConnectorName, word: StopWord): void {
    this.#connectors.get(name)?.instance.stop(word);
  }

  setConnectorTarget(name: ConnectorName, target: TargetState): void {
    this.#connectors.get(name)?.instance.setTarget(target);
    this.#options.onChange();
  }

  async taskConfigs(name: ConnectorName, tasksMax: number, previous: readonly ConfigText[]) {
    const connector = this.#started(name);
    if (connector === undefined) {
      throw new TaskError("connector.not_started", `connector ${name} has no tasks: not started`);
    }
    return connector.taskConfigs(tasksMax, previous);
  }

  failConnector(name: ConnectorName, error: unknown): void {
    this.#started(name)?.fail(error);
  }

  startTask(start: TaskStart): void {
    const { id, generation, taskConfig, connectorConfig } = start;
    const key = taskText(id);
    this.#admit(key, generation);
    const { clock, createTask, limits, logger, onChange, taskParts } = this.#options;
    let plugin = this.#find(connectorConfig);
    const instance = new Instance<Task>({
      label: `task ${key}`,
      target: start.target,
      restarts: this.#restarts(connectorConfig),
      logger: logger.child({ connector: id.connector, task: id.task }),
      plugin: () => plugin?.plugin.name,
      clock,
      prepare: async (signal) => {
        plugin = await this.#look(connectorConfig, signal);
      },
      arrival: (signal) => this.#arrival(plugin, signal),
      create: (now, onState, attempt) => {
        const found = this.#orUnknown(plugin, connectorConfig);
        const tooMany = tooManyTasks(id.connector, connectorConfig, start.taskCount);
        if (tooMany !== undefined) throw new TaskError("connector.too_many_tasks", tooMany);
        const spec: TaskSpec = {
          id,
          kind: found.kind === "source" ? "source" : "sink",
          className: found.className,
          taskClass: taskConfig["task.class"] ?? found.taskClass,
          version: found.version,
          connectorConfig,
          taskConfig,
          limits,
        };
        return createTask(spec, taskParts(spec, found, attempt), now, onState);
      },
      onStatus: (state, trace, safe) => {
        const status = { ...this.#status(plugin, trace), state: state as TaskState };
        this.#options.onStatus({ connector: id.connector, task: id.task, status, safe });
      },
      onChange,
      // The Connector may live in the process that died.
      onProgress: () => this.#connectors.get(id.connector)?.instance.forgetFailures(),
    });
    const incarnation = this.#nextIncarnation();
    const slot = { instance, id, generation, incarnation, ended: Promise.resolve() };
    this.#tasks.set(key, slot);
    slot.ended = this.#live(instance, () => this.#tasks.delete(key));
  }

  stopTask(id: TaskId, word: StopWord): void {
    this.#tasks.get(taskText(id))?.instance.stop(word);
  }

  setTaskTarget(id: TaskId, target: TargetState): void {
    this.#tasks.get(taskText(id))?.instance.setTarget(target);
    this.#options.onChange();
  }

  requestTaskReconfiguration(name: string): void {
    if (this.#started(connectorName(name)) === undefined) return;
    this.#wantTasks(connectorName(name));
    this.#options.onChange();
  }

  raiseError(name: string, failure: Failure): void {
    const { text, exceptionClass, stack } = failure;
    const trace = stack === "" ? `${exceptionClass}: ${text}` : stack;
    const error = new TaskError("connector.raised", text, { trace });
    this.failConnector(connectorName(name), error);
  }

  connectorPid(name: ConnectorName): number | undefined {
    return this.#connectors.get(name)?.instance.runnable?.pid;
  }

  tasks(): TaskView[] {
    return [...this.#tasks.values()].flatMap(({ id, instance: { at, runnable } }) =>
      runnable === undefined ? [] : [{ id, at, pid: runnable.pid, meter: runnable.meter }],
    );
  }

  async stop(): Promise<void> {
    const { connectorStopMsMax, tasksStopMsMax } = this.#options;
    for (const { instance } of this.#connectors.values()) instance.stop("UNASSIGNED");
    // One that does not stop in time condemns its process, which gives the others in it that time too.
    await this.#ended("connectors", this.#connectors, 2 * connectorStopMsMax + stopGraceMs);
    for (const { instance } of this.#tasks.values()) instance.stop("UNASSIGNED");
    await this.#ended("tasks", this.#tasks, 2 * tasksStopMsMax + stopGraceMs);
  }

  /** I4: two of one name never run at once, and none that is older than what has run here. */
  #admit(key: string, generation: number): void {
    const live = this.#tasks.get(key);
    if (live !== undefined) {
      const message = `cannot start task ${key}: generation ${live.generation} is still alive`;
      throw new FencedError("worker.task_alive", message);
    }
    const newest = this.#generations.get(key);
    if (newest !== undefined && generation < newest) {
      const message = `cannot start task ${key}: generation ${generation} is older than ${newest}`;
      throw new FencedError("worker.generation_old", message);
    }
    this.#generations.delete(key);
    this.#generations.set(key, generation);
    const [oldest] = this.#generations.keys();
    if (this.#generations.size > generationsMax && oldest !== undefined) {
      this.#generations.delete(oldest);
    }
  }

  /** The slot stays until the instance has really ended: nothing new starts under its name before. */
  async #live(instance: Instance<Connector> | Instance<Task>, remove: () => void): Promise<void> {
    await instance.run();
    remove();
    this.#options.onChange();
  }

  async #ended(what: string, slots: Map<string, { ended: Promise<void> }>, ms: number) {
    const all = Promise.all([...slots.values()].map(({ ended }) => ended));
    if ((await within(all, ms, "late")) !== "late") return;
    this.#options.logger.error({ [what]: [...slots.keys()] }, `${what} did not stop in ${ms} ms`);
  }

  #find(config: ConfigText): PluginClass | undefined {
    return this.#options.findClass(config);
  }

  /** What starts, or starts again, is the newest that is there by then. */
  async #look(config: ConfigText, signal: AbortSignal): Promise<PluginClass | undefined> {
    await this.#options.lookForClass?.(config, signal);
    return this.#find(config);
  }

  async #arrival(plugin: PluginClass | undefined, signal: AbortSignal): Promise<void> {
    await this.#options.processes.attached?.arrival(plugin?.plugin, signal);
  }

  /** @throws TaskError `plugin.away` where the class may be one of a plugin that is still to come */
  #orUnknown(plugin: PluginClass | undefined, config: ConfigText): PluginClass {
    if (plugin !== undefined) return plugin;
    const attached = this.#options.processes.attached?.list() ?? [];
    const unknown = attached.filter((one) => one.isUnknown);
    if (unknown.length === 0) throw unknownClass(config);
    const connect = unknown.map((one) => one.connect).join(" or ");
    const text = `no plugin has its class ${config["connector.class"]}, but one to attach may`;
    throw new TaskError("plugin.away", `${text}: start it with ${connect}`);
  }

  #started(name: ConnectorName): Connector | undefined {
    const instance = this.#connectors.get(name)?.instance;
    return instance?.at === "running" ? instance.runnable : undefined;
  }

  #wantTasks(name: ConnectorName): void {
    const slot = this.#connectors.get(name);
    if (slot !== undefined) slot.tasksWanted += 1;
  }

  #restarts(config: ConfigText): Restarts {
    const { restartBounds, restartPolicy: worker, random } = this.#options;
    return new Restarts(restartPolicy(config, worker, restartBounds), random);
  }

  #status(plugin: PluginClass | undefined, trace: string | null) {
    const { workerId, generation } = this.#options;
    return { workerId, generation: generation(), trace, version: plugin?.version ?? null };
  }

  #nextIncarnation(): number {
    this.#incarnations += 1;
    return this.#incarnations;
  }
}

function unknownClass(config: ConfigText): TaskError {
  const name = config["connector.class"];
  const version = config["connector.plugin.version"];
  return new TaskError(
    "worker.class_unknown",
    `Failed to find any class that implements Connector and which name matches ${name}` +
      (version === undefined ? "" : ` in the version ${version}`),
    { hint: "put its plugin into a folder of plugin.path, then restart the connector" },
  );
}
