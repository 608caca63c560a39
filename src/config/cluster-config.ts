/** What a worker file says of the group of workers that it belongs to. */
import { ConfigError, type ConfigProblem } from "../base/error.ts";
import { clusterWorkerKeys } from "./cluster-keys.ts";
import { withoutPrefix } from "./kafka-clients.ts";
import {
  type CheckedKey,
  type CheckedValue,
  checkKeys,
  invalidValue,
  type ParsedValue,
} from "./parse.ts";

type Properties = Readonly<Record<string, string>>;

/** `connect.protocol` */
export type ConnectProtocol = "eager" | "compatible" | "sessioned";

/** A topic that the group keeps its state in. */
export interface StateTopic {
  readonly name: string;
  /** -1 = the cluster's default. */
  readonly partitionCount: number;
  /** -1 = the cluster's default. */
  readonly replicationFactor: number;
  /** Of a topic that has to be made, beside `cleanup.policy`. */
  readonly config: Properties;
}

export interface ClusterConfig {
  readonly groupId: string;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly syncTimeoutMs: number;
  readonly unsyncBackoffMs: number;
  readonly protocol: ConnectProtocol;
  readonly rebalanceDelayMsMax: number;
  readonly configTopic: StateTopic;
  readonly offsetTopic: StateTopic;
  readonly statusTopic: StateTopic;
  readonly keys: {
    readonly algorithm: string;
    readonly sizeBits: number | null;
    readonly ttlMs: number;
  };
  readonly signatureAlgorithm: string;
  readonly verificationAlgorithms: readonly string[];
  /** Sentences about keys that have no effect; for the log at start. */
  readonly warnings: readonly string[];
}

/** Says which MAC algorithms there are: `session-key.ts` knows. */
export type HasAlgorithm = (name: string) => boolean;

/** @throws ConfigError with every wrong value; `source` says of what, `the worker config file a.properties`. */
export function parseClusterConfig(
  properties: Properties,
  hasAlgorithm: HasAlgorithm,
  source = "the worker config",
): ClusterConfig {
  const keys = clusterWorkerKeys.map(
    (key): CheckedKey => ({ ...key, ...checkOf(key.name, hasAlgorithm) }),
  );
  const checked = checkKeys(keys, properties);
  const problems: ConfigProblem[] = [...checked].flatMap(([key, { errors }]) =>
    errors.slice(0, 1).map((message) => ({ key, message })),
  );
  if (problems.length === 0) problems.push(...relations(checked));
  if (problems.length > 0) {
    const count = problems.length === 1 ? "one problem" : `${problems.length} problems`;
    throw new ConfigError("config.invalid", `cannot use ${source}: ${count}`, { problems });
  }
  return typed(checked, properties);
}

function typed(checked: ReadonlyMap<string, CheckedValue>, properties: Properties): ClusterConfig {
  const value = (key: string) => checked.get(key)?.value ?? null;
  const text = (key: string) => String(value(key));
  const number = (key: string) => Number(value(key));
  const size = value("inter.worker.key.size");
  return {
    groupId: text("group.id"),
    sessionTimeoutMs: number("session.timeout.ms"),
    heartbeatIntervalMs: number("heartbeat.interval.ms"),
    rebalanceTimeoutMs: number("rebalance.timeout.ms"),
    syncTimeoutMs: number("worker.sync.timeout.ms"),
    unsyncBackoffMs: number("worker.unsync.backoff.ms"),
    protocol: text("connect.protocol") as ConnectProtocol,
    rebalanceDelayMsMax: number("scheduled.rebalance.max.delay.ms"),
    configTopic: topic("config", 1),
    offsetTopic: topic("offset", number("offset.storage.partitions")),
    statusTopic: topic("status", number("status.storage.partitions")),
    keys: {
      algorithm: text("inter.worker.key.generation.algorithm"),
      sizeBits: size === null ? null : Number(size),
      ttlMs: number("inter.worker.key.ttl.ms"),
    },
    signatureAlgorithm: text("inter.worker.signature.algorithm"),
    verificationAlgorithms: value("inter.worker.verification.algorithms") as readonly string[],
    warnings: warningsOf(properties),
  };

  function topic(kind: "config" | "offset" | "status", partitionCount: number): StateTopic {
    const { topic: name = "", ...rest } = withoutPrefix(properties, `${kind}.storage.`);
    return {
      name: name.trim(),
      partitionCount,
      replicationFactor: number(`${kind}.storage.replication.factor`),
      config: Object.fromEntries(Object.entries(rest).filter(([key]) => !ownKeys.has(key))),
    };
  }
}

/** What stands behind `….storage.` and is no setting of the topic. */
const ownKeys = new Set(["partitions", "replication.factor", "cleanup.policy", "file.filename"]);

function warningsOf(properties: Properties): string[] {
  const policies = ["config", "offset", "status"].map((kind) => `${kind}.storage.cleanup.policy`);
  return [...policies, "config.storage.partitions"]
    .filter((key) => Object.hasOwn(properties, key))
    .map((key) => {
      const always = key.endsWith("policy") ? "the topic is always compacted" : "it is always one";
      return `${key} of the worker config has no effect: ${always}`;
    });
}

function checkOf(name: string, hasAlgorithm: HasAlgorithm): Pick<CheckedKey, "check"> {
  if (name.endsWith(".partitions")) return positive("Number of partitions must be positive");
  if (name.endsWith(".replication.factor"))
    return positive(
      "Replication factor must be positive and not larger than the number of brokers in the Kafka cluster",
    );
  if (name.endsWith(".algorithm") || name.endsWith(".algorithms")) {
    return {
      check: (value: ParsedValue) => {
        const names = Array.isArray(value) ? value : [String(value)];
        if (names.length === 0) return "it must name at least one algorithm";
        const unknown = names.find((each) => !hasAlgorithm(each));
        return unknown === undefined ? undefined : `Algorithm ${unknown} not available`;
      },
    };
  }
  return {};
}

function positive(reason: string): Pick<CheckedKey, "check"> {
  return {
    check: (value) =>
      typeof value !== "number" || value > 0 || value === -1
        ? undefined
        : `${reason}, or -1 to use the broker's default`,
  };
}

/** Rules about two keys; a broker would refuse the first with less to go by. */
function relations(checked: ReadonlyMap<string, CheckedValue>): ConfigProblem[] {
  const value = (key: string) => checked.get(key)?.value ?? null;
  const problems: ConfigProblem[] = [];
  const wrong = (key: string, reason: string) =>
    problems.push({ key, message: invalidValue(key, value(key), reason) });
  if (Number(value("heartbeat.interval.ms")) >= Number(value("session.timeout.ms"))) {
    wrong("heartbeat.interval.ms", "Value must be less than session.timeout.ms");
  }
  const algorithms = value("inter.worker.verification.algorithms") as readonly string[];
  if (!algorithms.includes(String(value("inter.worker.signature.algorithm")))) {
    wrong(
      "inter.worker.signature.algorithm",
      "inter.worker.verification.algorithms must contain it",
    );
  }
  const topics = ["config", "offset", "status"].map((kind) =>
    String(value(`${kind}.storage.topic`)),
  );
  if (new Set(topics).size < topics.length) {
    wrong("offset.storage.topic", "configs, offsets and states need a topic each");
  }
  return problems;
}
