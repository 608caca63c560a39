/** The keys of a worker file that only distributed mode has, with Connect's defaults. Data only. */
import type { ConfigKey, Validator } from "./config-def.ts";
import { keyOf, type WorkerKeyRow } from "./worker-keys.ts";

const atLeast = (min: number): Validator => ({ at: "range", min });
const required = (name: string, documentation: string): ConfigKey => ({
  ...keyOf([name, "STRING", null, documentation, { at: "non-empty" }]),
  required: true,
});

const rows: readonly WorkerKeyRow[] = [
  ["session.timeout.ms", "INT", "10000", "When a silent worker is taken for dead."],
  ["heartbeat.interval.ms", "INT", "3000", "How often a worker says that it is alive."],
  ["rebalance.timeout.ms", "INT", "60000", "How long the others wait for a worker to join again."],
  ["worker.sync.timeout.ms", "INT", "3000", "How long reading the newest configs may take."],
  [
    "worker.unsync.backoff.ms",
    "INT",
    "300000",
    "How long a worker that cannot read them stays away, with connect.protocol=eager.",
  ],
  [
    "connect.protocol",
    "STRING",
    "sessioned",
    "How workers share the work: all anew each time, step by step, or so and with signed requests.",
    { at: "one-of", values: ["eager", "compatible", "sessioned"] },
  ],
  [
    "scheduled.rebalance.max.delay.ms",
    "INT",
    "300000",
    "How long the work of a worker that has left waits for it.",
    { at: "range", min: 0, max: 2_147_483_647 },
  ],
  [
    "config.storage.replication.factor",
    "SHORT",
    "3",
    "Replicas of the config topic; -1 = the cluster's.",
  ],
  ["offset.storage.partitions", "INT", "25", "Partitions of the offset topic; -1 = the cluster's."],
  [
    "offset.storage.replication.factor",
    "SHORT",
    "3",
    "Replicas of the offset topic; -1 = the cluster's.",
  ],
  ["status.storage.partitions", "INT", "5", "Partitions of the status topic; -1 = the cluster's."],
  [
    "status.storage.replication.factor",
    "SHORT",
    "3",
    "Replicas of the status topic; -1 = the cluster's.",
  ],
  [
    "inter.worker.key.generation.algorithm",
    "STRING",
    "HmacSHA256",
    "What session keys are made for.",
  ],
  [
    "inter.worker.key.size",
    "INT",
    null,
    "Bits of a session key; by default as the algorithm has it.",
  ],
  [
    "inter.worker.key.ttl.ms",
    "INT",
    "3600000",
    "How long a session key is good; 0 = until there is another reason for a new one.",
    atLeast(0),
  ],
  ["inter.worker.signature.algorithm", "STRING", "HmacSHA256", "What requests are signed by."],
  [
    "inter.worker.verification.algorithms",
    "LIST",
    "HmacSHA256",
    "What requests of other workers may be signed by.",
  ],
];

/** Beside those of both modes, `workerKeys`. */
export const clusterWorkerKeys: readonly ConfigKey[] = [
  required("group.id", "The name of the group of workers; no consumer group may have it."),
  required("config.storage.topic", "Where configs are kept."),
  required("offset.storage.topic", "Where offsets of sources are kept."),
  required("status.storage.topic", "Where states are kept."),
  ...rows.map(keyOf),
];
