/** What each task gets from the host: its converters, its plugin process, its logger. */
import { systemClock } from "./base/clock.ts";
import { TaskError } from "./base/error.ts";
import { withoutPrefix } from "./config/kafka-clients.ts";
import { topicGroups } from "./config/topic-creation.ts";
import type { ConverterChoice, WorkerConfig } from "./config/worker-config.ts";
import type { Converter, ConverterUse } from "./convert/converter.ts";
import { createConverter, findConverter } from "./convert/converters.ts";
import type { Kafka } from "./kafka/kafka.ts";
import type { Logger } from "./observe/logger.ts";
import type { PluginCatalog, PluginClass, PluginProcesses } from "./plugin/plugin.ts";
import { pluginStageClass, pluginStagesOf } from "./plugin-stages.ts";
import type { TaskId } from "./state/id.ts";
import { CrashMemory } from "./task/crash-memory.ts";
import { newTaskMeter } from "./task/create-task.ts";
import { PutGates } from "./task/put-gate.ts";
import type {
  OpenStage,
  RecordConverters,
  SourceOffsetStore,
  TaskParts,
  TaskSpec,
} from "./task/task.ts";
import type { PluginStage, PluginStages } from "./transform/plugin-stage.ts";
import type { Step } from "./transform/step.ts";

type Configured = Pick<TaskSpec, "connectorConfig">;

export interface SharedParts {
  readonly kafka: Kafka;
  readonly config: WorkerConfig;
  readonly offsets: SourceOffsetStore;
  readonly topicsRefused: ReadonlySet<string>;
  /** Notes that a task uses a topic. */
  readonly useTopic: (id: TaskId, topic: string) => void;
  readonly catalog: Pick<PluginCatalog, "classes" | "find">;
  readonly processes: Pick<PluginProcesses, "acquire">;
  readonly logger: Logger;
}

/** @throws ConfigError for settings of converters or of topics to make that cannot be used. */
export function taskPartsFor(
  shared: SharedParts,
): (spec: TaskSpec, plugin: PluginClass, attempt: number) => TaskParts {
  const { catalog, kafka, config, offsets, processes, topicsRefused } = shared;
  const { topicCreationEnable, topicTrackingEnable } = config;
  const crashes = new CrashMemory();
  const putGates = new PutGates();
  return (spec, { plugin }, attempt) => {
    const { connector, task } = spec.id;
    const logger = shared.logger.child({ connector, task, plugin: plugin.name, attempt });
    const warn = (text: string) => logger.warn(text);
    const isSource = spec.kind === "source";
    return {
      kafka,
      offsets,
      topicsRefused,
      topicGroups: isSource
        ? topicGroups(spec.connectorConfig, topicCreationEnable, warn)
        : undefined,
      useTopic: topicTrackingEnable ? (topic) => shared.useTopic(spec.id, topic) : () => {},
      ...conversionOf(spec, config),
      createSteps: () => stepsOf(spec, pluginStagesOf(catalog)),
      openStage: (alias, stage, signal) => openStage(shared, spec, alias, stage, signal),
      suspects: crashes.of(spec),
      putGates,
      acquireProcess: (signal) => processes.acquire({ plugin, connector, task }, signal),
      logger,
      clock: systemClock,
      meter: newTaskMeter(),
    };
  };
}

/** What a task's records meet before they are written. @throws ConfigError for settings that cannot be used */
export function conversionOf(
  spec: Configured,
  config: Pick<WorkerConfig, "keyConverter" | "valueConverter" | "headerConverter">,
): RecordConverters {
  const { keyConverter, valueConverter, headerConverter } = config;
  return {
    keyConverter: converterOf(spec, keyConverter, "key"),
    valueConverter: converterOf(spec, valueConverter, "value"),
    headerConverter: converterOf(spec, headerConverter, "header"),
    converterClasses: {
      key: classOf(spec, keyConverter, "key"),
      value: classOf(spec, valueConverter, "value"),
      header: classOf(spec, headerConverter, "header"),
    },
  };
}

/**
 * The connector's own converter with its own settings, else the worker's with the worker's: settings
 * without the class have no effect, as in Connect.
 */
function converterOf(
  { connectorConfig }: Configured,
  worker: ConverterChoice,
  use: ConverterUse,
): Converter {
  const own = connectorConfig[`${use}.converter`];
  if (own === undefined) return createConverter(worker.className, worker.config, use);
  return createConverter(own, withoutPrefix(connectorConfig, `${use}.converter.`), use);
}

/**
 * Most connectors have none, and then a start loads no transforms.
 * @throws ConfigError for settings that cannot be used
 */
export async function stepsOf(
  { connectorConfig }: Configured,
  plugins: PluginStages,
): Promise<readonly Step[]> {
  const { transforms = "", predicates = "" } = connectorConfig;
  if (transforms.trim() === "" && predicates.trim() === "") return [];
  const { createSteps } = await import("./transform/chain.ts");
  return createSteps(connectorConfig, plugins);
}

/** In a process of the plugin that has the class; the task's own plugin shares its process as the worker says. */
export async function openStage(
  { catalog, processes }: Pick<SharedParts, "catalog" | "processes">,
  { id, limits }: Pick<TaskSpec, "id" | "limits">,
  alias: string,
  { kind, className, config }: PluginStage,
  signal: AbortSignal,
): Promise<OpenStage> {
  const found = pluginStageClass(catalog, kind, className);
  if (found === undefined) {
    throw new TaskError(
      "worker.class_unknown",
      `cannot start ${alias}: no plugin has ${className}`,
    );
  }
  const { connector, task } = id;
  const lease = await processes.acquire({ plugin: found.plugin, connector, task }, signal);
  try {
    const { startMsMax, stopMsMax } = limits;
    const start = { ...{ connector, task, alias, className, config, startMsMax }, isKey: false };
    const kinds = { transforms: "transformation", predicates: "predicate" } as const;
    const stream = await lease.process.openStage({ ...start, kind: kinds[kind] }, signal);
    const close = async () => {
      try {
        await stream.stop(stopMsMax);
      } finally {
        await lease.release();
      }
    };
    return { stream, close };
  } catch (error) {
    await lease.release();
    throw error;
  }
}

function classOf(spec: Configured, worker: ConverterChoice, use: ConverterUse): string {
  const name = spec.connectorConfig[`${use}.converter`] ?? worker.className;
  return findConverter(name)?.className ?? name;
}
