import type { Clock } from "../base/clock.ts";
import { within } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";
import type { Latest } from "../base/latest.ts";
import type { Membership } from "../cluster/cluster.ts";
import type { ConfigInfos } from "../config/validation.ts";
import type { Logger } from "../observe/logger.ts";
import type { PluginClass } from "../plugin/plugin.ts";
import type { ConfigText } from "../state/config-record.ts";
import type { ConfigStore, StatusStore } from "../store/store.ts";
import type { Worker } from "../worker/worker.ts";
import { Commands } from "./commands.ts";
import type { Herder } from "./herder.ts";
import { Loop } from "./loop.ts";
import { TaskConfigs } from "./task-configs.ts";

export interface HerderOptions {
  readonly kafkaClusterId: string;
  readonly workerId: string;
  /** Opened; `run` closes them. */
  readonly store: ConfigStore;
  readonly statuses: StatusStore;
  readonly worker: Worker;
  readonly membership: Membership;
  /** The same slot that the stores and the worker set when they have changed. */
  readonly wake: Latest<true>;
  readonly findClass: (name: string) => PluginClass | undefined;
  readonly validate: (config: ConfigText) => Promise<ConfigInfos>;
  /** A new connector of this config will start if nothing is wrong with it. */
  readonly onNew?: (config: ConfigText) => void;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** The commands, and the loop that makes them come true. */
export interface RunningHerder extends Herder {
  /**
   * Resolves when it was asked to stop and everything on the worker has: connectors, tasks, their
   * last statuses, then the stores. Rejects when the loop failed, after the same clean-up.
   */
  run(signal: AbortSignal): Promise<void>;
}

/** For each of the last things at the end. */
const endMsMax = 5_000;

export function createHerder(options: HerderOptions): RunningHerder {
  const { clock, findClass, logger, statuses, store, wake, worker } = options;
  const exclusive = oneByOne();
  const ready = deferred();
  const onChange = () => wake.set(true);
  const taskConfigs = new TaskConfigs({ store, worker, clock, logger, exclusive, onChange });
  const { membership, kafkaClusterId, validate } = options;
  const loop = new Loop({ store, statuses, worker, membership, taskConfigs, wake });
  const run = async (signal: AbortSignal): Promise<void> => {
    try {
      disownStatuses(statuses, options.workerId);
      await loop.run(signal, () => ready.resolve());
    } finally {
      loop.end();
      // Side by side: a plugin that is slow with its task configs is freed by being stopped.
      const made = taskConfigs.close();
      await worker.stop();
      await within(made, endMsMax, undefined);
      await within(statuses.flush(), endMsMax, undefined);
      await statuses.close();
      await store.close();
    }
  };
  const commands = new Commands({
    kafkaClusterId,
    ready: ready.promise,
    store,
    statuses,
    worker,
    loop,
    taskConfigs,
    findClass,
    validate,
    exclusive,
    onNew: options.onNew ?? (() => {}),
  });
  return Object.assign(commands, { run });
}

/** What a worker of this name left RUNNING when it was killed does not run any more. */
function disownStatuses(statuses: StatusStore, workerId: string): void {
  const isMine = (status: { workerId: string; state: string } | undefined) =>
    status?.workerId === workerId && status.state !== "FAILED" && status.state !== "UNASSIGNED";
  for (const connector of statuses.connectors()) {
    const status = statuses.connector(connector);
    if (status !== undefined && isMine(status)) {
      statuses.putConnector(connector, { ...status, state: "UNASSIGNED" });
    }
    for (const { task, status: of } of statuses.tasks(connector)) {
      if (isMine(of)) statuses.putTask({ connector, task }, { ...of, state: "UNASSIGNED" });
    }
  }
}

/** Runs what it is given one after the other: a check and its append are one step. */
function oneByOne(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work);
    last = mine.catch(() => {});
    return mine;
  };
}
