/** The three logs that a worker keeps its state in, opened in the order in which they end. */
import { systemClock } from "./base/clock.ts";
import type { Scope } from "./base/scope.ts";
import { soon } from "./base/soon.ts";
import type { Kafka } from "./kafka/kafka.ts";
import { openTopicLog } from "./kafka/topic-log.ts";
import type { Logger } from "./observe/logger.ts";
import { connectorNames } from "./state/cluster-state.ts";
import { openConfigStore } from "./store/config-store.ts";
import { openFileLog } from "./store/file-log.ts";
import { MemoryLog } from "./store/memory-log.ts";
import { type OffsetStore, openOffsetStore } from "./store/offset-store.ts";
import { openStatusStore } from "./store/status-store.ts";
import type { ConfigStore, OpenLog, StatusStore } from "./store/store.ts";

export interface Stores {
  readonly configs: ConfigStore;
  readonly statuses: StatusStore;
  readonly offsets: OffsetStore;
}

export interface StoresOptions {
  readonly keptIn: StatePlace;
  readonly logger: Logger;
  /** Closes them. */
  readonly scope: Scope;
  /** A config or a status has changed. */
  readonly onChange: () => void;
  /** The connectors there are, after a change of them. */
  readonly onConnectors: (names: ReadonlySet<string>) => void;
}

/**
 * Three topics; or, as in Apache's standalone worker, a file for source offsets and this process's
 * memory for the rest.
 */
export type StatePlace =
  | { readonly at: "topics"; readonly kafka: Kafka }
  | { readonly at: "file"; readonly path: string };

export const configTopic = "connect-configs";
const offsetTopic = "connect-offsets";
const statusTopic = "connect-status";
/** Who writes there changes other connectors, or the groups of other programs. */
export const topicsOfNoPlugin: ReadonlySet<string> = new Set([
  configTopic,
  offsetTopic,
  statusTopic,
  "__consumer_offsets",
  "__transaction_state",
]);
/** Source offsets are spread as widely as in Connect. */
const offsetPartitionCount = 25;
const statusPartitionCount = 5;

/** Each is read to its end before the next is opened. */
export async function openStores(options: StoresOptions): Promise<Stores> {
  const { keptIn, logger, scope, onChange, onConnectors } = options;
  const opener = openerFor(keptIn, logger);
  const offsets = await openOffsetStore({
    openLog: opener("offset"),
    topic: offsetTopic,
    partitionCount: offsetPartitionCount,
    logger,
  });
  scope.defer(() => offsets.close());
  const statuses = await openStatusStore({
    openLog: opener("status"),
    topic: statusTopic,
    partitionCount: statusPartitionCount,
    logger,
    clock: systemClock,
    onChange,
  });
  // The herder closes these two with its last words; here they end when it never came to run.
  scope.defer(() => statuses.close());
  let opened: ConfigStore | undefined;
  const tellConnectors = soon(() => {
    if (opened !== undefined) onConnectors(new Set(connectorNames(opened.state)));
  });
  const configs = await openConfigStore({
    openLog: opener("config"),
    topic: configTopic,
    logger,
    onChange: () => {
      onChange();
      tellConnectors();
    },
  });
  opened = configs;
  scope.defer(() => configs.close());
  return { configs, statuses, offsets };
}

type Kept = "config" | "offset" | "status";

const purposes: Readonly<Record<Kept, string>> = {
  config: "connector configurations",
  offset: "source connector offsets",
  status: "connector and task statuses",
};

function openerFor(place: StatePlace, logger: Logger): (kept: Kept) => OpenLog {
  if (place.at === "file") {
    const pathKey = "offset.storage.file.filename";
    return (kept) => async (log) =>
      kept === "offset" ? openFileLog({ ...log, path: place.path, pathKey }) : new MemoryLog(log);
  }
  return (kept) => (log) =>
    openTopicLog({
      ...log,
      kafka: place.kafka,
      topicKey: `${kept}.storage.topic`,
      purpose: purposes[kept],
      isSinglePartition: kept === "config",
      clientId: `bulkhead-${kept}`,
      logger,
    });
}
