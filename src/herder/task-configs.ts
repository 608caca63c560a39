import { Backoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { errorLine, TaskError } from "../base/error.ts";
import { Scope } from "../base/scope.ts";
import type { TaskConfigsAnswer } from "../connector/connector.ts";
import { levelOfDelay } from "../observe/log-level.ts";
import type { Logger } from "../observe/logger.ts";
import { type ConnectorEntry, findConnector, targetState } from "../state/cluster-state.ts";
import type { ConfigText } from "../state/config-record.ts";
import type { ConnectorName } from "../state/id.ts";
import { tasksMax, tooManyTasks } from "../state/tasks-max.ts";
import type { ConfigStore } from "../store/store.ts";
import type { Worker } from "../worker/worker.ts";
import type { TasksRequest } from "./plan.ts";

/** What a plugin said, as it is stored: with the task's class and what the sink reads. */
export function completeTaskConfigs(
  { taskClass, configs }: TaskConfigsAnswer,
  connector: ConfigText,
): ConfigText[] {
  const copied = Object.fromEntries(
    ["topics", "topics.regex"].flatMap((key) => {
      const value = connector[key];
      return value === undefined ? [] : [[key, value]];
    }),
  );
  return configs.map((config) => ({ ...config, "task.class": taskClass, ...copied }));
}

/**
 * Nothing to write: the same set is committed already, and for the same connector config (a change
 * that only the host reads, of a converter say, must restart the tasks too).
 */
function isCommitted(entry: ConnectorEntry, configs: readonly ConfigText[]): boolean {
  return (
    !entry.inconsistent &&
    entry.config !== undefined &&
    entry.appliedConfig !== undefined &&
    isSame(entry.appliedConfig, entry.config) &&
    entry.taskConfigs.length === configs.length &&
    configs.every((config, task) => isSame(config, entry.taskConfigs[task] ?? {}))
  );
}

function isSame(a: ConfigText, b: ConfigText): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

export interface TaskConfigsParts {
  readonly store: ConfigStore;
  readonly worker: Worker;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Runs writers of the config log one after the other. */
  readonly exclusive: <T>(work: () => Promise<T>) => Promise<T>;
  readonly onChange: () => void;
}

/** How far one request has come; `error` is that of the last try. */
export interface Making {
  readonly request: TasksRequest;
  readonly at: "making" | "retrying" | "done";
  readonly error: unknown;
}

/** Asks connectors for their task configs and writes them where they differ; one request at a time. */
export class TaskConfigs {
  readonly #parts: TaskConfigsParts;
  readonly #scope = new Scope();
  readonly #makings = new Map<ConnectorName, Making & { cancel: AbortController }>();

  constructor(parts: TaskConfigsParts) {
    this.#parts = parts;
  }

  get requests(): ReadonlyMap<ConnectorName, TasksRequest> {
    return new Map([...this.#makings].map(([name, { request }]) => [name, request]));
  }

  making(name: ConnectorName): Making | undefined {
    return this.#makings.get(name);
  }

  /** A newer request takes the place of an older one, whose answer is then dropped. */
  make(name: ConnectorName, request: TasksRequest): void {
    this.#makings.get(name)?.cancel.abort();
    const cancel = new AbortController();
    this.#makings.set(name, { request, at: "making", error: undefined, cancel });
    this.#scope.spawn(
      (signal) => this.#retry(name, request, AbortSignal.any([signal, cancel.signal])),
      (error) => this.#parts.logger.error({ connector: name }, errorLine(error)),
    );
  }

  /** Of connectors that do not run here any more nothing is kept. */
  keepOnly(names: ReadonlyMap<ConnectorName, unknown>): void {
    for (const [name, { cancel }] of this.#makings) {
      if (names.has(name)) continue;
      cancel.abort();
      this.#makings.delete(name);
    }
  }

  close(): Promise<void> {
    return this.#scope.close();
  }

  /** As in Connect: for ever, with delays up to a minute, until it works or is no longer wanted. */
  async #retry(name: ConnectorName, request: TasksRequest, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#parts;
    const backoff = new Backoff({ firstMs: 250, maxMs: 60_000, jitter: 0 });
    while (!signal.aborted) {
      try {
        await this.#makeOnce(name, request, signal);
        this.#move(name, request, "done", undefined);
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof TaskError && error.code === "connector.too_many_tasks") {
          this.#parts.worker.failConnector(name, error);
          this.#move(name, request, "done", error);
          return;
        }
        const delayMs = backoff.nextDelayMs();
        const text = `no task configs, asking again: ${errorLine(error)}`;
        logger[levelOfDelay(delayMs)]({ connector: name, delayMs }, text);
        this.#move(name, request, "retrying", error);
        await clock.sleep(delayMs, signal);
      }
    }
  }

  async #makeOnce(name: ConnectorName, request: TasksRequest, signal: AbortSignal): Promise<void> {
    const { exclusive, store, worker } = this.#parts;
    const before = this.#wanted(name, request);
    if (before === undefined) return;
    const max = tasksMax(before.config);
    const answer = await worker.taskConfigs(name, max, before.taskConfigs);
    const configs = completeTaskConfigs(answer, before.config);
    const tooMany = tooManyTasks(name, before.config, configs.length);
    if (tooMany !== undefined) throw new TaskError("connector.too_many_tasks", tooMany);
    await exclusive(async () => {
      const now = this.#wanted(name, request);
      // A config that changed meanwhile brings a start, and that a request, of its own.
      if (signal.aborted || now?.configRevision !== before.configRevision) return;
      if (!isCommitted(now, configs)) await store.putTaskConfigs(name, configs);
    });
  }

  /** The connector while the request still stands: the same start, and meant to run. */
  #wanted(name: ConnectorName, { incarnation }: TasksRequest) {
    const entry = findConnector(this.#parts.store.state, name);
    const running = this.#parts.worker.running().connectors.get(name);
    if (entry === undefined || targetState(entry) !== "STARTED") return undefined;
    return running?.at === "running" && running.incarnation === incarnation ? entry : undefined;
  }

  #move(name: ConnectorName, request: TasksRequest, at: Making["at"], error: unknown): void {
    const making = this.#makings.get(name);
    if (making?.request !== request) return;
    this.#makings.set(name, { ...making, at, error });
    this.#parts.onChange();
  }
}
