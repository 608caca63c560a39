/** Herder, worker and stores as the root builds them, over topics in memory and a fake plugin. */
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { Latest } from "../../src/base/latest.ts";
import { soloMember } from "../../src/cluster/solo-member.ts";
import { createConnector } from "../../src/connector/connector-runner.ts";
import { createHerder, type RunningHerder } from "../../src/herder/create-herder.ts";
import { type Logger, silentLogger } from "../../src/observe/logger.ts";
import type { PluginClass } from "../../src/plugin/plugin.ts";
import { openConfigStore } from "../../src/store/config-store.ts";
import { openStatusStore } from "../../src/store/status-store.ts";
import type { TaskParts } from "../../src/task/task.ts";
import { createLocalWorker } from "../../src/worker/local-worker.ts";
import { type RestartBounds, restartBounds } from "../../src/worker/restart-policy.ts";
import type { Worker } from "../../src/worker/worker.ts";
import { MemoryTopics } from "../harness/memory-log.ts";
import { waitFor } from "../harness/wait-for.ts";
import { FakePlugin, fakeClasses } from "./fake-plugin.ts";

export interface ControlHostOptions {
  readonly topics?: MemoryTopics;
  readonly clock?: Clock;
  /** The worker's and the herder's. */
  readonly logger?: Logger;
  readonly restartPolicy?: "none" | "on-failure";
  readonly restartBounds?: RestartBounds;
  readonly connectorStopMsMax?: number;
  /** What a look finds; without it the classes of the fake plugin are there from the start. */
  readonly look?: (signal: AbortSignal) => Promise<readonly PluginClass[]>;
}

export interface ControlHost extends AsyncDisposable {
  readonly herder: RunningHerder;
  readonly worker: Worker;
  readonly plugin: FakePlugin;
  readonly topics: MemoryTopics;
  /** Classes of new connectors, told before they were checked. */
  readonly announced: string[];
  /** `RUNNING RUNNING,RUNNING` = the connector and its tasks; "none" without a status. */
  states(name: string): string;
  untilStates(name: string, states: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startControlHost(options: ControlHostOptions = {}): Promise<ControlHost> {
  const { topics = new MemoryTopics(), clock = systemClock } = options;
  const plugin = new FakePlugin();
  const logger = options.logger ?? silentLogger();
  const wake = new Latest<true>();
  const onChange = () => wake.set(true);
  let classes: readonly PluginClass[] = options.look === undefined ? fakeClasses : [];
  const findClass = (name: string) => classes.find(({ className }) => className === name);
  const store = await openConfigStore({
    openLog: topics.open,
    topic: "connect-configs",
    logger,
    onChange,
  });
  const statuses = await openStatusStore({
    openLog: topics.open,
    topic: "connect-status",
    partitionCount: 5,
    logger,
    clock,
    onChange,
  });
  const worker = createLocalWorker({
    workerId: "here:8083",
    generation: () => 0,
    findClass: (config) => findClass(config["connector.class"] ?? ""),
    lookForClass: async (_config, signal) => {
      classes = (await options.look?.(signal)) ?? classes;
    },
    processes: { acquire: plugin.acquire },
    createConnector,
    createTask: plugin.createTask,
    taskParts: () => ({}) as TaskParts,
    limits: {
      offsetFlushIntervalMs: 60_000,
      offsetFlushTimeoutMs: 5_000,
      startMsMax: 30_000,
      stopMsMax: 5_000,
      windowRecords: 1_000,
      windowBytes: 1_000_000,
      messageBytesMax: 1_000_000,
    },
    connectorStopMsMax: options.connectorStopMsMax ?? 5_000,
    tasksStopMsMax: 5_000,
    restartPolicy: options.restartPolicy ?? "none",
    restartBounds: options.restartBounds ?? restartBounds,
    random: () => 0,
    logger,
    clock,
    onStatus: ({ connector, task, status, safe }) => {
      if (task === undefined) statuses.putConnector(connector, status, { safe });
      else statuses.putTask({ connector, task }, status, { safe });
    },
    onChange,
  });
  /** Classes whose processes may start ahead. */
  const announced: string[] = [];
  const herder = createHerder({
    kafkaClusterId: "cluster",
    workerId: "here:8083",
    store,
    statuses,
    worker,
    membership: soloMember,
    wake,
    findClass,
    validate: async (config) => ({
      name: config["connector.class"] ?? "",
      error_count: config["bad"] === undefined ? 0 : 1,
      groups: [],
      configs: [
        {
          definition: null,
          value: {
            name: "bad",
            value: null,
            recommended_values: [],
            errors: config["bad"] === undefined ? [] : ["bad is bad"],
            visible: true,
          },
        },
      ],
    }),
    onNew: (config) => announced.push(config["connector.class"] ?? ""),
    logger,
    clock,
  });
  const ending = new AbortController();
  const running = herder.run(ending.signal);
  await herder.ready;
  const stop = async () => {
    ending.abort();
    await running;
  };
  const states = (name: string) => {
    try {
      const { connector, tasks } = herder.status(name);
      return [connector.state, tasks.map(({ state }) => state).join(",")].join(" ").trim();
    } catch {
      return "none";
    }
  };
  return {
    herder,
    worker,
    plugin,
    topics,
    announced,
    states,
    async untilStates(name, expected) {
      await waitFor(() => states(name) === expected, { withinMs: 20_000, everyMs: 1 }).catch(() => {
        throw new Error(`${name} is at "${states(name)}", not at "${expected}"`);
      });
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

export const sourceConfig = {
  "connector.class": "fake.SourceConnector",
  "tasks.max": "1",
  topic: "t",
};

export const sinkConfig = {
  "connector.class": "fake.SinkConnector",
  "tasks.max": "2",
  topics: "t",
};
