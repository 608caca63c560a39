/** The log of a worker: a cluster or a folder, as its bootstrap.servers say, and where its state is kept. */
import { resolve } from "node:path";
import { ConfigError } from "./base/error.ts";
import type { WorkerConfig } from "./config/worker-config.ts";
import type { Kafka } from "./kafka/kafka.ts";
import type { Logger } from "./observe/logger.ts";
import type { HostPart } from "./observe/logger-name.ts";
import { configTopic, type StatePlace } from "./stores.ts";

export interface WorkerLog {
  readonly kafka: Kafka;
  readonly keptIn: StatePlace;
  /** Rejects while the log does not answer. */
  reach(): Promise<void>;
}

/**
 * Opens it; the modules of the form that is not meant are not loaded.
 * @throws ConfigError for settings that cannot be used; what keeps a cluster from being reached
 */
export async function openWorkerLog(
  config: WorkerConfig,
  loggerOf: (part: HostPart) => Logger,
): Promise<WorkerLog> {
  const [, directory] = /^embedded:(.+)$/.exec(config.bootstrapServers) ?? [];
  if (directory !== undefined) return inFolder(directory, config, loggerOf("embedded"));
  return inCluster(config, loggerOf("kafka"));
}

async function inFolder(
  directory: string,
  { embedded }: WorkerConfig,
  logger: Logger,
): Promise<WorkerLog> {
  const { openEmbedded } = await import("./embedded/embedded.ts");
  const kafka = await openEmbedded({
    directory: resolve(directory),
    defaultPartitionCount: embedded.partitions,
    fsync: embedded.fsync,
    fsyncIntervalMs: embedded.fsyncIntervalMs,
    retentionMs: embedded.retentionMs,
    retentionBytes: embedded.retentionBytes,
    segmentBytes: embedded.segmentBytes,
    logger,
  });
  return {
    kafka,
    keptIn: { at: "topics", kafka },
    async reach() {
      await kafka.admin.endOffsets([{ topic: configTopic, partition: 0 }]);
    },
  };
}

/** A worker on its own leaves the cluster's topics alone, as Apache's does. */
async function inCluster(config: WorkerConfig, logger: Logger): Promise<WorkerLog> {
  const { bootstrapServers, clients } = config;
  const keptIn = { at: "file", path: offsetFileOf(config) } as const;
  const { openKafka } = await import("./kafka/open-kafka.ts");
  const clientId = clients.worker["client.id"] ?? "bulkhead";
  const kafka = await openKafka({ bootstrapServers, config: clients.worker, clientId, logger });
  return {
    kafka,
    keptIn,
    async reach() {
      await kafka.admin.listTopics();
    },
  };
}

function offsetFileOf({ offsetStorageFile }: WorkerConfig): string {
  if (offsetStorageFile !== "") return resolve(offsetStorageFile);
  const key = "offset.storage.file.filename";
  const message = `Missing required configuration "${key}" which has no default value.`;
  throw new ConfigError("config.invalid", "cannot tell where source offsets are kept", {
    problems: [{ key, message }],
    hint: `write ${key}=<file>; a standalone worker over a cluster keeps source offsets there`,
  });
}
