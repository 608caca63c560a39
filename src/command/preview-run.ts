/** The part of a worker that a preview needs: plugins, their processes and one task; no log and no state. */
import { TaskError } from "../base/error.ts";
import type { Scope } from "../base/scope.ts";
import type { WorkerConfig } from "../config/worker-config.ts";
import { ConnectorClasses, pluginCacheDirectory } from "../connector-classes.ts";
import { completeTaskConfigs } from "../herder/task-configs.ts";
import type { HostLog } from "../observe/host-log.ts";
import type {
  ConnectorConfig,
  Failure,
  PluginCatalog,
  PluginClass,
  PluginProcesses,
  ProcessLease,
} from "../plugin/plugin.ts";
import { openPluginFolders } from "../plugin/plugin-folders.ts";
import { createPluginProcesses } from "../plugin/process-pool.ts";
import { connectorName, type TaskId } from "../state/id.ts";
import { tasksMax, tooManyTasks } from "../state/tasks-max.ts";
import type { TaskLimits, TaskSpec } from "../task/task.ts";
import { failureError } from "../task/task-failure.ts";
import { validateSubmitted } from "../validate-submitted.ts";

/** As a host's. */
const windowRecords = 50_000;

export interface PreviewPlugins {
  readonly classes: ConnectorClasses;
  readonly processes: PluginProcesses;
  readonly catalog: PluginCatalog;
  validate(config: ConnectorConfig): ReturnType<typeof validateSubmitted>;
}

/** Opens them on the scope. `onError`: the previewed connector says that it has failed. */
export async function openPreviewPlugins(
  config: WorkerConfig,
  log: HostLog,
  scope: Scope,
  onError: (error: TaskError) => void,
): Promise<PreviewPlugins> {
  const processes = await createPluginProcesses({
    logger: log.logger.child({ part: "plugin" }),
    levels: log.levels,
    processPer: config.processPer,
    connectMsMax: config.pluginConnectTimeoutMs,
    requestMsMax: config.pluginRequestTimeoutMs,
    shutdownMsMax: config.taskShutdownGracefulTimeoutMs,
    heartbeatIntervalMs: config.pluginHeartbeatIntervalMs,
    heartbeatTimeoutMs: config.pluginHeartbeatTimeoutMs,
    memoryBytesMax: config.pluginMemoryBytesMax,
    maxMessageBytes: config.pluginMessageBytesMax,
    calls: {
      // A preview begins as if nothing had been committed.
      readOffsets: async (_connector, partitions) => partitions.map(() => null),
      requestTaskReconfiguration: () => {},
      raiseError: (_connector: string, failure: Failure) => onError(failureError(failure)),
    },
  });
  scope.defer(() => processes.close());
  const folders = await openPluginFolders({
    paths: config.pluginPath,
    cacheDirectory: pluginCacheDirectory(config.pluginCacheDir),
    describe: (plugin, signal) => processes.describe(plugin, signal),
    logger: log.logger.child({ part: "host" }),
  });
  scope.defer(() => folders.close());
  const classes = new ConnectorClasses(folders);
  const scene = { catalog: folders, config, classes, processes, signal: scope.signal };
  return {
    classes,
    processes,
    catalog: folders,
    validate: (submitted) => validateSubmitted(submitted, scene),
  };
}

export function limitsOf(config: WorkerConfig): TaskLimits {
  return {
    offsetFlushIntervalMs: config.offsetFlushIntervalMs,
    offsetFlushTimeoutMs: config.offsetFlushTimeoutMs,
    startMsMax: config.pluginStartTimeoutMs,
    stopMsMax: config.taskShutdownGracefulTimeoutMs,
    windowRecords,
    windowBytes: config.pluginWindowBytes,
    messageBytesMax: config.pluginMessageBytesMax,
  };
}

/**
 * Starts the Connector instance, asks it for its tasks as a worker does, and hands the first one and its
 * process to `work`; then ends both.
 * @throws TaskError with the plugin's words when it does not start or has no task
 */
export async function withFirstTask<T>(
  found: PluginClass,
  config: ConnectorConfig,
  { processes, limits }: { readonly processes: PluginProcesses; readonly limits: TaskLimits },
  signal: AbortSignal,
  work: (spec: TaskSpec, lease: ProcessLease) => Promise<T>,
): Promise<T> {
  const { className, plugin } = found;
  const connector = config["name"] ?? "";
  const instance = await processes.acquire({ plugin, connector }, signal);
  try {
    await instance.process.startConnector(connector, className, config);
    const id: TaskId = { connector: connectorName(connector), task: 0 };
    const answer = await instance.process.taskConfigs(connector, tasksMax(config), []);
    const taskConfigs = completeTaskConfigs(answer, config);
    const tooMany = tooManyTasks(id.connector, config, taskConfigs.length);
    if (tooMany !== undefined) throw new TaskError("connector.too_many_tasks", tooMany);
    const [taskConfig] = taskConfigs;
    if (taskConfig === undefined) throw noTasks(connector);
    const lease = await processes.acquire({ plugin, connector, task: id.task }, signal);
    try {
      return await work(specOf(found, config, id, taskConfig, limits), lease);
    } finally {
      await lease.release();
    }
  } finally {
    // What was shown stays true when the stop goes wrong; the process ends with the release.
    await instance.process.stopConnector(connector).catch(() => undefined);
    await instance.release();
  }
}

function specOf(
  { kind, className, taskClass, version }: PluginClass,
  connectorConfig: ConnectorConfig,
  id: TaskId,
  taskConfig: ConnectorConfig,
  limits: TaskLimits,
): TaskSpec {
  const side = kind === "sink" ? "sink" : "source";
  return {
    ...{ id, kind: side, className, taskClass, version },
    ...{ connectorConfig, taskConfig, limits },
  };
}

function noTasks(connector: string): TaskError {
  return new TaskError(
    "command.preview_failed",
    `cannot preview connector ${connector}: it made no tasks`,
    { hint: "a connector without tasks has nothing to do: see whether its config names its data" },
  );
}
