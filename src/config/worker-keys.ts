/**
 * The keys of a worker file: Connect's for both modes and standalone, then ours. Data only;
 * `worker-config.ts` makes a typed config of them.
 */
import type { ConfigKey, ConfigType, Validator } from "./config-def.ts";

/** A key of a worker file; by default it has a default. */
export type WorkerKeyRow = [
  name: string,
  type: ConfigType,
  defaultValue: string | null,
  documentation: string,
  validator?: Validator,
];

const atLeast = (min: number): Validator => ({ at: "range", min });
const oneOf = (...values: string[]): Validator => ({ at: "one-of", values });

/** What a Connect worker file may set and this host uses. */
const connectRows: readonly WorkerKeyRow[] = [
  ["bootstrap.servers", "STRING", "localhost:9092", "Brokers, or embedded:<folder>."],
  [
    "header.converter",
    "CLASS",
    "org.apache.kafka.connect.storage.SimpleHeaderConverter",
    "The header converter of connectors that name none.",
  ],
  [
    "task.shutdown.graceful.timeout.ms",
    "LONG",
    "5000",
    "How long tasks that stop together may take.",
    atLeast(0),
  ],
  ["offset.flush.interval.ms", "LONG", "60000", "How often offsets are committed.", atLeast(1)],
  ["offset.flush.timeout.ms", "LONG", "5000", "How long one commit may take.", atLeast(1)],
  [
    "topic.creation.enable",
    "BOOLEAN",
    "true",
    "Whether sources that have topic.creation.* make their topics themselves.",
  ],
  [
    "topic.tracking.enable",
    "BOOLEAN",
    "true",
    "Whether the topics that connectors use are noted, for GET /connectors/NAME/topics.",
  ],
  [
    "topic.tracking.allow.reset",
    "BOOLEAN",
    "true",
    "Whether PUT /connectors/NAME/topics/reset may forget them.",
  ],
  ["plugin.path", "LIST", "", "Folders in which plugins are looked for."],
  ["listeners", "LIST", "http://:8083", "Addresses of the REST interface."],
  ["rest.advertised.host.name", "STRING", null, "The host others reach this worker by."],
  ["rest.advertised.port", "INT", null, "The port others reach this worker by."],
  ["rest.advertised.listener", "STRING", null, "The protocol others reach this worker by."],
];

const kib = 1024;
const mib = 1024 * kib;

/** Ours. */
const bulkheadRows: readonly WorkerKeyRow[] = [
  [
    "plugin.process.per",
    "STRING",
    "connector",
    "Who shares a plugin process: each task has its own, each connector, or all of a plugin.",
    oneOf("task", "connector", "plugin"),
  ],
  [
    "restart.policy",
    "STRING",
    "none",
    "Whether failed tasks start again by themselves; may also be set per connector.",
    oneOf("none", "on-failure"),
  ],
  ["restart.delay.ms", "LONG", "1000", "The pause before the first such restart.", atLeast(1)],
  ["restart.delay.max.ms", "LONG", "60000", "The longest such pause.", atLeast(1)],
  [
    "restart.attempts.max",
    "INT",
    "10",
    "Such restarts within restart.window.ms; one failure more is final. -1 = no limit, 0 = none.",
    atLeast(-1),
  ],
  ["restart.window.ms", "LONG", "600000", "The time in which restarts are counted.", atLeast(1)],
  [
    "restart.reset.ms",
    "LONG",
    "600000",
    "After running this long without a failure, pauses and count begin again.",
    atLeast(1),
  ],
  [
    "plugin.connect.timeout.ms",
    "LONG",
    "30000",
    "How long a new plugin process may take until it connects.",
    atLeast(1),
  ],
  [
    "plugin.cache.dir",
    "STRING",
    "",
    "Where it is kept what plugins that are one executable offer; empty = below the user's cache.",
  ],
  [
    "plugin.attach",
    "LIST",
    "",
    "Names of plugins that are not started but waited for: somebody starts them by hand.",
  ],
  [
    "plugin.attach.dir",
    "STRING",
    "",
    "Where the files are that such plugins are started with; empty = below the user's cache.",
  ],
  [
    "plugin.request.timeout.ms",
    "LONG",
    "60000",
    "How long a plugin may take to start a connector, to make task configs or to validate.",
    atLeast(1),
  ],
  ["plugin.start.timeout.ms", "LONG", "60000", "How long a task may take to start.", atLeast(1)],
  [
    "plugin.heartbeat.interval.ms",
    "LONG",
    "5000",
    "How often a plugin process says that it still answers; after six missed it is shown as stalled.",
    atLeast(100),
  ],
  [
    "plugin.heartbeat.timeout.ms",
    "LONG",
    "120000",
    "After how long without a heartbeat a plugin process is killed; 0 = never.",
    atLeast(0),
  ],
  [
    "plugin.memory.bytes.max",
    "LONG",
    "0",
    "A plugin process that uses more memory, with all it started, is killed; 0 = no limit.",
    atLeast(0),
  ],
  [
    "plugin.message.bytes.max",
    "INT",
    String(4 * mib),
    "The largest message to or from a plugin.",
    { at: "range", min: 64 * kib, max: 64 * mib },
  ],
  [
    "plugin.window.bytes",
    "LONG",
    String(4 * mib),
    "How many bytes of records may be on their way to or from one task.",
    atLeast(64 * kib),
  ],
  ["embedded.partitions", "INT", "1", "Partitions of topics made on first use.", atLeast(1)],
  [
    "embedded.fsync",
    "STRING",
    "interval",
    "When the embedded log forces its writes to the disk.",
    oneOf("always", "interval", "never"),
  ],
  ["embedded.fsync.interval.ms", "LONG", "1000", "The interval of embedded.fsync.", atLeast(1)],
  [
    "embedded.retention.ms",
    "LONG",
    "604800000",
    "How long records are kept; -1 = for ever.",
    atLeast(-1),
  ],
  [
    "embedded.retention.bytes",
    "LONG",
    "-1",
    "How many bytes each partition keeps; -1 = all.",
    atLeast(-1),
  ],
  [
    "embedded.segment.bytes",
    "LONG",
    String(128 * mib),
    "The size of one file of the embedded log.",
    atLeast(64 * kib),
  ],
  [
    "log.level",
    "STRING",
    "info",
    "The least important level that is logged.",
    oneOf("fatal", "error", "warn", "info", "debug", "trace", "silent"),
  ],
  [
    "log.format",
    "STRING",
    "auto",
    "JSON lines, or lines for people; auto is for people on a terminal only.",
    oneOf("auto", "json", "pretty"),
  ],
];

/** The worker's keys with Connect's defaults, then ours. */
export const workerKeys: readonly ConfigKey[] = [
  required("key.converter", "The key converter of connectors that name none."),
  required("value.converter", "The value converter of connectors that name none."),
  ...[...connectRows, ...bulkheadRows].map(keyOf),
];

/** Families of keys that have no row of their own and are used. */
export const servedWorkerFamilies: readonly RegExp[] = [
  /^(key|value|header)\.converter\./,
  // Handed to the log, which takes of them what it has a use for.
  /^(producer|consumer)\./,
];

/**
 * What the worker's own Kafka clients take of a worker file; Connect hands them every key it does not
 * know.
 */
export const kafkaClientKeys: readonly RegExp[] = [
  /^(sasl|ssl|security)\./,
  /^client\.(id|dns\.lookup)$/,
  /^(send|receive)\.buffer\.bytes$/,
  /^(reconnect|retry)\.backoff\./,
  /^socket\.connection\.setup\./,
  /^(request|default\.api)\.timeout\.ms$/,
  /^connections\.max\.idle\.ms$/,
  /^metadata\./,
];

/** What only a worker over a cluster has a use for. */
export const clusterKeys: readonly RegExp[] = [
  ...kafkaClientKeys,
  /^offset\.storage\.file\.filename$/,
];

/**
 * Keys and families of keys that a Connect worker file may have and this version does nothing with.
 * A start names those that are set, in one warning.
 */
export const unservedWorkerKeys: readonly RegExp[] = [
  /^admin\./,
  /^connector\.client\.config\.override\.policy$/,
  /^metrics?\./,
  /^plugin\.discovery$/,
  /^(config|status)\.storage\./,
  /^offset\.storage\.(?!file\.filename$)/,
  /^group\.id$/,
  /^(session|rebalance)\.timeout\.ms$/,
  /^heartbeat\.interval\.ms$/,
  /^(connect\.protocol|scheduled\.rebalance\.max\.delay\.ms)$/,
  /^inter\.worker\./,
  /^worker\.(sync\.timeout|unsync\.backoff)\.ms$/,
];

interface WorkerRefusal {
  readonly key: string;
  readonly asks: (value: string) => boolean;
  readonly instead: string;
}

const set = (value: string) => value !== "";

/** As for connectors: asked for and not there is an error, not silence. */
export const workerRefusals: readonly WorkerRefusal[] = [
  { key: "config.providers", asks: set, instead: "remove it and write the values themselves" },
  { key: "rest.extension.classes", asks: set, instead: "remove it" },
  { key: "admin.listeners", asks: set, instead: "remove it" },
  { key: "access.control.allow.origin", asks: set, instead: "remove it" },
  { key: "access.control.allow.methods", asks: set, instead: "remove it" },
  { key: "response.http.headers.config", asks: set, instead: "remove it" },
  {
    key: "exactly.once.source.support",
    asks: (value) => value !== "disabled",
    instead: "remove it or set it to disabled",
  },
];

function required(name: string, documentation: string): ConfigKey {
  return { ...keyOf([name, "CLASS", null, documentation]), required: true };
}

/** The row as a key without group. */
export function keyOf(row: WorkerKeyRow): ConfigKey {
  const [name, type, defaultValue, documentation, validator] = row;
  return {
    name,
    type,
    required: false,
    defaultValue,
    importance: "MEDIUM",
    documentation,
    group: null,
    order: -1,
    width: "NONE",
    displayName: name,
    dependents: [],
    validator: validator ?? null,
  };
}
