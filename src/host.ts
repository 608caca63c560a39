/**
 * The root of a worker: builds every part once, in order, and takes them down in the order that loses
 * nothing: REST, connectors and tasks (they drain and commit), plugin processes, the log.
 */
import { setFlagsFromString } from "node:v8";
import { systemClock } from "./base/clock.ts";
import { deferred } from "./base/deferred.ts";
import { Latest } from "./base/latest.ts";
import { Scope } from "./base/scope.ts";
import { connectVersion, productVersion } from "./base/version.ts";
import { soloMember } from "./cluster/solo-member.ts";
import { workerId } from "./config/listener.ts";
import type { SubmittedConfig } from "./config/parse.ts";
import { topicGroups } from "./config/topic-creation.ts";
import { refuseInvalid } from "./config/validate-connector.ts";
import type { ConfigInfos } from "./config/validation.ts";
import { parseWorkerConfig, type WorkerConfig } from "./config/worker-config.ts";
import { createConnector } from "./connector/connector-runner.ts";
import { attachDirectory, ConnectorClasses, pluginCacheDirectory } from "./connector-classes.ts";
import { createHerder, type RunningHerder } from "./herder/create-herder.ts";
import type { Kafka } from "./kafka/kafka.ts";
import { withClientConfig } from "./kafka/with-client-config.ts";
import { type HostLog, openHostLog } from "./observe/host-log.ts";
import type { Logger } from "./observe/logger.ts";
import type { HostPart } from "./observe/logger-name.ts";
import { loadLauncher } from "./plugin/launcher.ts";
import type { PluginCalls, PluginCatalog, PluginProcesses } from "./plugin/plugin.ts";
import { openPluginFolders } from "./plugin/plugin-folders.ts";
import { createPluginProcesses } from "./plugin/process-pool.ts";
import { createRestServer } from "./rest/server.ts";
import { putConnector, type RunningHost, runningTasks } from "./running-host.ts";
import { connectorName } from "./state/id.ts";
import type { StatusStore } from "./store/store.ts";
import { openStores, type Stores, topicsOfNoPlugin } from "./stores.ts";
import { createTask } from "./task/create-task.ts";
import { taskPartsFor } from "./task-parts.ts";
import { validateSubmitted } from "./validate-submitted.ts";
import { createLocalWorker } from "./worker/local-worker.ts";
import type { StatusReport, Worker } from "./worker/worker.ts";
import { openWorkerLog, type WorkerLog } from "./worker-log.ts";

export interface HostOptions {
  /** Default: on stdout, as the worker's `log.level` and `log.format` say. */
  readonly log?: HostLog;
  /** Shows secrets to the person who started it: a terminal, never a log. Default: nobody sees them. */
  readonly tellPerson?: (text: string) => void;
  /** Where the properties are from, for errors: `the worker config file a.properties`. */
  readonly source?: string;
}

/** The contract lets a plugin send this many records before the host has taken any over. */
const windowRecords = 50_000;

/**
 * Starts a standalone worker from the properties of a worker file.
 * @throws ConfigError with every wrong value; what kept a part from starting.
 */
export async function startHost(
  properties: Readonly<Record<string, string>>,
  options: HostOptions = {},
): Promise<RunningHost> {
  collectGarbageSeldom();
  const config = parseWorkerConfig(properties, options.source);
  const { logLevel: level, logFormat: format } = config;
  const log = options.log ?? (await openHostLog({ level, format }));
  const logger = log.logger.child({ part: "host" });
  for (const warning of config.warnings) logger.warn(warning);
  const scope = new Scope();
  try {
    return await new Host(config, log, scope, options).start();
  } catch (error) {
    await scope.close(error).catch((late: unknown) => logger.error({ err: late }, "cannot end"));
    throw error;
  }
}

/**
 * Records pass as bytes outside of V8's heap, and a collection of the young generation frees nearly all of
 * them. It has grown to 8 MiB when a host's modules are loaded; were it to grow on to 16, its collections
 * would come more seldom and find more: 20 MiB of resident memory that save no time. Smaller is not better:
 * what is collected too often is taken for old, and the old generation is dear to collect.
 *
 * V8 begins to mark that whenever 32 MiB of bytes were taken, in four threads: 43 times for three million
 * records of 100 B out of lz4, a third of all CPU. Without incremental marking it was done 5 times, with the
 * same resident memory; each stops the host for some 25 ms.
 */
function collectGarbageSeldom(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
  setFlagsFromString("--no-incremental-marking");
}

class Host {
  readonly #config: WorkerConfig;
  readonly #log: HostLog;
  readonly #logger: Logger;
  readonly #scope: Scope;
  /** Set by whatever the herder's loop has to look at. */
  readonly #wake = new Latest<true>();
  readonly #restUp = deferred<void>();
  readonly #tellPerson: (text: string) => void;
  #worker: Worker | undefined;
  #boundPort: number | undefined;
  #stopped: Promise<void> | undefined;

  constructor(config: WorkerConfig, log: HostLog, scope: Scope, options: HostOptions) {
    this.#config = config;
    this.#log = log;
    this.#logger = this.#loggerOf("host");
    this.#scope = scope;
    this.#tellPerson = options.tellPerson ?? (() => {});
  }

  async start(): Promise<RunningHost> {
    const log = await openWorkerLog(this.#config, (part) => this.#loggerOf(part));
    const { kafka } = log;
    this.#scope.defer(() => kafka.close());
    const stores = await this.#openStores(log);
    const processes = await this.#openProcesses(stores);
    const catalog = await this.#openPlugins(processes);
    const classes = new ConnectorClasses(catalog, processes.attached);
    const worker = this.#createWorker(kafka, catalog, classes, stores, processes);
    this.#worker = worker;
    const { signal } = this.#scope;
    const scene = { catalog, config: this.#config, classes, processes, signal };
    const validate = (submitted: SubmittedConfig) => validateSubmitted(submitted, scene);
    const herder = this.#createHerder(kafka, classes, stores, worker, processes, validate);
    const rest = await createRestServer({
      herder,
      catalog,
      validate,
      listeners: this.#config.listeners,
      version: connectVersion,
      commit: productVersion,
      hostVersion: productVersion,
      log: { ...this.#log, logger: this.#loggerOf("rest") },
      runningTasks: () => runningTasks(worker),
      processes: () => processes.processes(),
      reachLog: () => log.reach(),
      topicTracking: {
        isOn: this.#config.topicTrackingEnable,
        mayReset: this.#config.topicTrackingAllowReset,
      },
    });
    this.#boundPort = Number(new URL(rest.url).port);
    const failed = this.#run(herder);
    this.#scope.defer(() => rest.close());
    await Promise.race([herder.ready, failed]);
    this.#logger.info({ url: rest.url, version: productVersion }, "the REST API is ready");
    this.#restUp.resolve();
    // A launch tells what is wrong with it; this only comes before it.
    loadLauncher().catch(() => {});
    return {
      restUrl: rest.url,
      admin: kafka.admin,
      checkConnector: async (name, config) => refuseInvalid(await validate({ ...config, name })),
      awaitClass: (submitted, signal) => classes.awaitClass(submitted, this.#logger, signal),
      putConnector: (name, config, initial) => putConnector(herder, name, config, initial),
      pidOf: (connector, task) =>
        worker.tasks().find((one) => one.id.connector === connector && one.id.task === task)?.pid,
      failed,
      stop: () => this.stop(),
    };
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#logger.info("the host stops: connectors and tasks end, then their processes");
    await this.#scope.close();
    this.#logger.info("the host has stopped");
  }

  #loggerOf(part: HostPart): Logger {
    return this.#log.logger.child({ part });
  }

  async #openPlugins(processes: PluginProcesses): Promise<PluginCatalog> {
    const folders = await openPluginFolders({
      paths: this.#config.pluginPath,
      cacheDirectory: pluginCacheDirectory(this.#config.pluginCacheDir),
      describe: (plugin, signal) => processes.describe(plugin, signal),
      attached: processes.attached,
      // Processes that start now would slow down the host's own start.
      mayAsk: this.#restUp.promise,
      logger: this.#logger,
    });
    this.#scope.defer(() => folders.close());
    return folders;
  }

  async #openStores({ keptIn }: WorkerLog): Promise<Stores> {
    return openStores({
      keptIn,
      logger: this.#loggerOf("store"),
      scope: this.#scope,
      onChange: () => this.#wake.set(true),
      // The log lines of a connector go when it is deleted.
      onConnectors: (names) => this.#log.rings.keepOnly((name) => names.has(name)),
    });
  }

  async #openProcesses({ configs, offsets }: Stores): Promise<PluginProcesses> {
    const calls: PluginCalls = {
      readOffsets: (connector, partitions) => offsets.read(connector, partitions),
      requestTaskReconfiguration: (name) => this.#worker?.requestTaskReconfiguration(name),
      raiseError: (name, failure) => this.#worker?.raiseError(name, failure),
    };
    const processes = await createPluginProcesses({
      logger: this.#loggerOf("plugin"),
      levels: this.#log.levels,
      processPer: this.#config.processPer,
      connectMsMax: this.#config.pluginConnectTimeoutMs,
      requestMsMax: this.#config.pluginRequestTimeoutMs,
      shutdownMsMax: this.#config.taskShutdownGracefulTimeoutMs,
      heartbeatIntervalMs: this.#config.pluginHeartbeatIntervalMs,
      heartbeatTimeoutMs: this.#config.pluginHeartbeatTimeoutMs,
      memoryBytesMax: this.#config.pluginMemoryBytesMax,
      maxMessageBytes: this.#config.pluginMessageBytesMax,
      attach: this.#config.pluginAttach,
      attachDirectory: attachDirectory(this.#config.pluginAttachDir),
      tellPerson: this.#tellPerson,
      isConnector: (name) =>
        configs.state.connectors.get(connectorName(name))?.config !== undefined,
      calls,
    });
    this.#scope.defer(() => processes.close());
    return processes;
  }

  #createWorker(
    kafka: Kafka,
    catalog: PluginCatalog,
    classes: ConnectorClasses,
    stores: Stores,
    processes: PluginProcesses,
  ): Worker {
    const config = this.#config;
    const self = this;
    return createLocalWorker({
      get workerId() {
        return self.#workerId();
      },
      generation: () => 0,
      findClass: (wanted) => classes.find(wanted),
      lookForClass: (wanted, signal) => classes.look(wanted, signal),
      processes,
      checkConnector: ({ kind }, submitted) => {
        if (kind === "source") topicGroups(submitted, config.topicCreationEnable);
      },
      createConnector,
      createTask,
      taskParts: taskPartsFor({
        catalog,
        kafka: withClientConfig(kafka, config.clients),
        config,
        offsets: stores.offsets,
        topicsRefused: topicsOfNoPlugin,
        useTopic: (id, topic) => stores.statuses.useTopic(id, topic),
        processes,
        logger: this.#loggerOf("task"),
      }),
      limits: {
        offsetFlushIntervalMs: config.offsetFlushIntervalMs,
        offsetFlushTimeoutMs: config.offsetFlushTimeoutMs,
        startMsMax: config.pluginStartTimeoutMs,
        stopMsMax: config.taskShutdownGracefulTimeoutMs,
        windowRecords,
        windowBytes: config.pluginWindowBytes,
        messageBytesMax: config.pluginMessageBytesMax,
      },
      connectorStopMsMax: config.taskShutdownGracefulTimeoutMs,
      tasksStopMsMax: config.taskShutdownGracefulTimeoutMs,
      restartPolicy: config.restartPolicy,
      restartBounds: {
        delayMs: config.restartDelayMs,
        delayMsMax: config.restartDelayMsMax,
        attemptsMax: config.restartAttemptsMax,
        windowMs: config.restartWindowMs,
        resetMs: config.restartResetMs,
      },
      logger: this.#loggerOf("worker"),
      clock: systemClock,
      onStatus: (report) => putStatus(stores.statuses, report),
      onChange: () => this.#wake.set(true),
    });
  }

  #createHerder(
    kafka: Kafka,
    classes: ConnectorClasses,
    { configs, statuses }: Stores,
    worker: Worker,
    processes: PluginProcesses,
    validate: (config: SubmittedConfig) => Promise<ConfigInfos>,
  ): RunningHerder {
    const self = this;
    return createHerder({
      kafkaClusterId: kafka.clusterId,
      get workerId() {
        return self.#workerId();
      },
      store: configs,
      statuses,
      worker,
      membership: soloMember,
      wake: this.#wake,
      findClass: (name) => classes.findByName(name),
      validate,
      onNew: (config) => classes.startAhead(config, processes),
      logger: this.#loggerOf("herder"),
      clock: systemClock,
    });
  }

  /** The port is known once the REST server listens, which is before anything has a status. */
  #workerId(): string {
    return workerId(this.#config.listeners, this.#config.advertised, this.#boundPort);
  }

  /** The herder's loop; it is stopped, and waited for, before what it needs. */
  #run(herder: RunningHerder): Promise<never> {
    const stopping = new AbortController();
    const running = herder.run(stopping.signal);
    this.#scope.defer(async () => {
      stopping.abort();
      await running.catch(() => undefined);
    });
    const failed = new Promise<never>((_resolve, reject) => {
      running.catch(reject);
    });
    failed.catch(() => undefined);
    return failed;
  }
}

/** What the worker says of an instance goes to the status log; everyone reads it there (I3). */
function putStatus(statuses: StatusStore, report: StatusReport): void {
  const options = { safe: report.safe };
  if (report.task === undefined) {
    statuses.putConnector(report.connector, report.status, options);
  } else {
    const { connector, task } = report;
    statuses.putTask({ connector, task }, report.status, options);
  }
}
