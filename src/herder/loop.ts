import { within } from "../base/deadline.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { RequestError } from "../base/error.ts";
import type { Latest } from "../base/latest.ts";
import type { Membership } from "../cluster/cluster.ts";
import { findConnector, pendingRestart } from "../state/cluster-state.ts";
import { type ConnectorName, type TaskId, taskText } from "../state/id.ts";
import type { ConfigStore, StatusStore } from "../store/store.ts";
import type { Worker } from "../worker/worker.ts";
import { apply } from "./apply.ts";
import { plan } from "./plan.ts";
import { restartPlan } from "./restart-plan.ts";
import type { TaskConfigs } from "./task-configs.ts";

export interface LoopParts {
  readonly store: ConfigStore;
  readonly statuses: StatusStore;
  readonly worker: Worker;
  readonly membership: Membership;
  readonly taskConfigs: TaskConfigs;
  /** Set by whoever has changed something: the stores, the worker, a command. */
  readonly wake: Latest<true>;
}

/** After which a command is given up (I5); its effect may still come. */
const waitMsMax = 90_000;

interface Waiter {
  /** True once it has what it waited for. */
  look(): boolean;
  readonly done: Deferred<void>;
}

/**
 * Wake, read, plan, apply. A nudge says only "look now", never what changed: there is one path, and it
 * always runs.
 */
export class Loop {
  readonly #parts: LoopParts;
  readonly #waiters = new Set<Waiter>();
  #restarts = { connectors: new Set<ConnectorName>(), tasks: new Set<string>() };
  /** Restart requests before it are done, or were made before this worker started. */
  #restartsFrom = 0;
  #ended = false;

  constructor(parts: LoopParts) {
    this.#parts = parts;
  }

  /** Resolves when asked to stop; rejects when a turn fails, which is a bug. */
  async run(signal: AbortSignal, onFirstTurn: () => void): Promise<void> {
    const { store, wake } = this.#parts;
    this.#restartsFrom = store.state.nextOffset;
    this.#turn();
    onFirstTurn();
    while ((await wake.take(signal)) !== undefined) this.#turn();
  }

  /** Whoever waits, now or later, is told that the worker goes away. */
  end(): void {
    this.#ended = true;
    for (const { done } of this.#waiters) done.reject(shuttingDown());
    this.#waiters.clear();
  }

  /** Resolves after the first turn in which `look` says more than undefined. */
  async until<T>(look: () => T | undefined): Promise<T> {
    if (this.#ended) throw shuttingDown();
    let seen: T | undefined;
    const waiter: Waiter = {
      look: () => {
        seen = look();
        return seen !== undefined;
      },
      done: deferred(),
    };
    this.#waiters.add(waiter);
    this.#parts.wake.set(true);
    const ended = await within(waiter.done.promise, waitMsMax, "late");
    this.#waiters.delete(waiter);
    if (ended !== "late") return seen as T;
    throw new RequestError("herder.timed_out", "Request timed out", { status: 500 });
  }

  /** Stops and starts them once; the plan leaves out what does not run here. */
  restart(connectors: readonly ConnectorName[], tasks: readonly TaskId[]): void {
    for (const name of connectors) this.#restarts.connectors.add(name);
    for (const id of tasks) this.#restarts.tasks.add(taskText(id));
    this.#parts.wake.set(true);
  }

  #turn(): void {
    const { store, statuses, worker, membership, taskConfigs } = this.#parts;
    const { state } = store;
    this.#takeRestarts();
    const running = worker.running();
    taskConfigs.keepOnly(running.connectors);
    const actions = plan({
      state,
      assignment: membership.assignment(state),
      running,
      restarts: this.#restarts,
      requests: taskConfigs.requests,
      statuses: statuses.connectors().map((name) => ({
        name,
        tasks: statuses.tasks(name).map(({ task }) => task),
      })),
    });
    this.#restarts = { connectors: new Set(), tasks: new Set() };
    const makeTaskConfigs = taskConfigs.make.bind(taskConfigs);
    apply(actions, { worker, statuses, makeTaskConfigs });
    for (const waiter of [...this.#waiters]) {
      if (!waiter.look()) continue;
      this.#waiters.delete(waiter);
      waiter.done.resolve();
    }
  }

  /** The restart requests that were read since the last turn. */
  #takeRestarts(): void {
    const { store, statuses } = this.#parts;
    const { state } = store;
    if (state.nextOffset === this.#restartsFrom) return;
    for (const name of state.connectors.keys()) {
      const entry = findConnector(state, name);
      const options = entry && pendingRestart(entry, this.#restartsFrom);
      if (options === undefined) continue;
      const hit = restartPlan(options, statuses.connector(name), statuses.tasks(name));
      if (hit.connector) this.#restarts.connectors.add(name);
      for (const task of hit.tasks) this.#restarts.tasks.add(taskText({ connector: name, task }));
    }
    this.#restartsFrom = state.nextOffset;
  }
}

function shuttingDown(): RequestError {
  return new RequestError("herder.shutting_down", "Worker is shutting down", { status: 500 });
}
