/** What each task gets from the host: its converters, its plugin process, its logger. */
import { systemClock } from "./base/clock.ts";
import { withoutPrefix } from "./config/kafka-clients.ts";
import type { ConverterChoice, WorkerConfig } from "./config/worker-config.ts";
import type { Converter, ConverterUse } from "./convert/converter.ts";
import { createConverter, findConverter } from "./convert/converters.ts";
import type { Kafka } from "./kafka/kafka.ts";
import type { Logger } from "./observe/logger.ts";
import type { PluginClass, PluginProcesses } from "./plugin/plugin.ts";
import { newTaskMeter } from "./task/create-task.ts";
import type { SourceOffsetStore, TaskParts, TaskSpec } from "./task/task.ts";

export interface SharedParts {
  readonly kafka: Kafka;
  readonly config: WorkerConfig;
  readonly offsets: SourceOffsetStore;
  readonly topicsRefused: ReadonlySet<string>;
  readonly processes: Pick<PluginProcesses, "acquire">;
  readonly logger: Logger;
}

/** @throws ConfigError for converter settings that cannot be used. */
export function taskPartsFor(
  shared: SharedParts,
): (spec: TaskSpec, plugin: PluginClass, attempt: number) => TaskParts {
  const { kafka, config, offsets, processes, topicsRefused } = shared;
  return (spec, { plugin }, attempt) => {
    const { connector, task } = spec.id;
    const converter = (choice: ConverterChoice, use: ConverterUse) =>
      converterOf(spec, choice, use);
    return {
      kafka,
      offsets,
      topicsRefused,
      keyConverter: converter(config.keyConverter, "key"),
      valueConverter: converter(config.valueConverter, "value"),
      headerConverter: converter(config.headerConverter, "header"),
      converterClasses: {
        key: classOf(spec, config.keyConverter, "key"),
        value: classOf(spec, config.valueConverter, "value"),
        header: classOf(spec, config.headerConverter, "header"),
      },
      acquireProcess: (signal) => processes.acquire({ plugin, connector, task }, signal),
      logger: shared.logger.child({ connector, task, plugin: plugin.name, attempt }),
      clock: systemClock,
      meter: newTaskMeter(),
    };
  };
}

/**
 * The connector's own converter with its own settings, else the worker's with the worker's: settings
 * without the class have no effect, as in Connect.
 */
function converterOf(spec: TaskSpec, worker: ConverterChoice, use: ConverterUse): Converter {
  const own = spec.connectorConfig[`${use}.converter`];
  if (own === undefined) return createConverter(worker.className, worker.config, use);
  return createConverter(own, withoutPrefix(spec.connectorConfig, `${use}.converter.`), use);
}

function classOf(spec: TaskSpec, worker: ConverterChoice, use: ConverterUse): string {
  const name = spec.connectorConfig[`${use}.converter`] ?? worker.className;
  return findConverter(name)?.className ?? name;
}
