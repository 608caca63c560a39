/**
 * The log on disk in this process: the Kafka port without a cluster, for trying out and for tests.
 * `bootstrap.servers=embedded:<folder>` chooses it. README.md in this folder says what it promises.
 */
import { randomBytes } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Clock, systemClock } from "../base/clock.ts";
import { errnoWords } from "../base/errno.ts";
import { ConfigError, errorLine, TaskError } from "../base/error.ts";
import { Scope } from "../base/scope.ts";
import { writeDurably } from "../base/write-durably.ts";
import type {
  Kafka,
  PartitionReader,
  PartitionReaderOptions,
  Producer,
  ProducerOptions,
  SinkConsumer,
  SinkConsumerOptions,
  TransactionalProducer,
} from "../kafka/kafka.ts";
import { type Logger, silentLogger } from "../observe/logger.ts";
import { EmbeddedAdmin } from "./admin.ts";
import { runCleaner } from "./cleaner.ts";
import { GroupCoordinator } from "./group-coordinator.ts";
import { GroupOffsets } from "./group-offsets.ts";
import { type FolderLock, lockFolder } from "./lock.ts";
import { EmbeddedProducer } from "./producer.ts";
import { EmbeddedReader } from "./reader.ts";
import type { Surroundings } from "./setting.ts";
import { EmbeddedSinkConsumer } from "./sink-consumer.ts";
import { type FsyncPolicy, Syncer } from "./syncer.ts";
import { TopicCatalog } from "./topic-catalog.ts";

/** How long the outcome of what was sent is waited for when the whole log is closed. */
const closeMsMax = 5_000;

/** All but the folder may be left out. */
export interface EmbeddedOptions {
  /** Made when missing. */
  directory: string;
  /** Of topics that are made on first use. */
  defaultPartitionCount?: number;
  /** Default `interval`; see `FsyncPolicy`. */
  fsync?: FsyncPolicy;
  fsyncIntervalMs?: number;
  /** Defaults of topics that do not say; -1 keeps for ever. */
  retentionMs?: number;
  retentionBytes?: number;
  segmentBytes?: number;
  /** How often old segments are deleted and compacted topics rewritten. */
  cleanIntervalMs?: number;
  /** How long a group waits for a member that does not poll. */
  rebalanceTimeoutMs?: number;
  logger?: Logger;
  clock?: Clock;
}

/**
 * Opens the folder for this process alone.
 * @throws ConfigError `embedded.folder_locked`, `embedded.folder_unusable`.
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<Kafka> {
  const surroundings = surroundingsOf(options);
  const { directory } = surroundings.settings;
  let lock: FolderLock | undefined;
  try {
    await mkdir(join(directory, "topics"), { recursive: true });
    lock = await lockFolder(directory);
    const clusterId = await readClusterId(join(directory, "meta.json"));
    const log = new EmbeddedLog({ clusterId, lock, surroundings });
    await log.open();
    return log;
  } catch (error) {
    await lock?.release();
    if (error instanceof ConfigError) throw error;
    throw folderError(directory, error);
  }
}

function folderError(directory: string, error: unknown): ConfigError {
  const { path } = error as NodeJS.ErrnoException;
  const words = errnoWords(error) ?? errorLine(error);
  const where = path === undefined || path === directory ? "" : ` at ${path}`;
  return new ConfigError(
    "embedded.folder_unusable",
    `cannot use ${directory} for the embedded log: ${words}${where}`,
    { hint: "name a folder in bootstrap.servers that this user can make, read and write" },
  );
}

class EmbeddedLog implements Kafka {
  readonly clusterId: string;
  readonly admin: EmbeddedAdmin;
  readonly #surroundings: Surroundings;
  readonly #lock: FolderLock;
  readonly #catalog: TopicCatalog;
  readonly #groups: GroupCoordinator;
  readonly #scope = new Scope();
  readonly #producers = new Set<EmbeddedProducer>();
  readonly #readers = new Set<EmbeddedReader>();
  readonly #consumers = new Set<EmbeddedSinkConsumer>();
  #closing: Promise<void> | undefined;

  constructor(parts: { clusterId: string; lock: FolderLock; surroundings: Surroundings }) {
    const { clock, settings } = parts.surroundings;
    this.clusterId = parts.clusterId;
    this.#lock = parts.lock;
    this.#surroundings = parts.surroundings;
    this.#catalog = new TopicCatalog(parts.surroundings);
    this.#groups = new GroupCoordinator({
      catalog: this.#catalog,
      offsets: new GroupOffsets({ catalog: this.#catalog, clock }),
      rebalanceTimeoutMs: settings.rebalanceTimeoutMs,
    });
    this.admin = new EmbeddedAdmin({ catalog: this.#catalog, groups: this.#groups });
  }

  async open(): Promise<void> {
    await this.#catalog.open();
    await this.#groups.offsets.open();
    this.#scope.spawn(
      (signal) => runCleaner({ catalog: this.#catalog, ...this.#surroundings }, signal),
      (error) =>
        this.#surroundings.logger.error(`the log is no longer cleaned: ${errorLine(error)}`),
    );
  }

  producer(options: ProducerOptions): Producer {
    this.#assertOpen();
    const producer = new EmbeddedProducer(options, {
      catalog: this.#catalog,
      surroundings: this.#surroundings,
      onClose: (closed) => this.#producers.delete(closed),
    });
    this.#producers.add(producer);
    return producer;
  }

  async transactionalProducer(): Promise<TransactionalProducer> {
    throw new TaskError(
      "kafka.transactions_unsupported",
      "cannot write in transactions: the embedded log has none",
      {
        hint:
          "Exactly-once needs an Apache Kafka cluster: name its brokers in bootstrap.servers, " +
          "or set exactly.once.support to requested.",
      },
    );
  }

  groupMember(): never {
    throw new TaskError(
      "kafka.groups_unsupported",
      "cannot join a group of workers: the embedded log is a folder of one process",
      { hint: "workers that share their work need an Apache Kafka cluster in bootstrap.servers" },
    );
  }

  partitionReader(_options: PartitionReaderOptions): PartitionReader {
    this.#assertOpen();
    const reader = new EmbeddedReader({
      catalog: this.#catalog,
      logger: this.#surroundings.logger,
      onClose: (closed) => this.#readers.delete(closed),
    });
    this.#readers.add(reader);
    return reader;
  }

  sinkConsumer(options: SinkConsumerOptions): SinkConsumer {
    this.#assertOpen();
    const consumer = new EmbeddedSinkConsumer(options, {
      catalog: this.#catalog,
      groups: this.#groups,
      logger: this.#surroundings.logger,
      onClose: (closed) => this.#consumers.delete(closed),
    });
    this.#consumers.add(consumer);
    return consumer;
  }

  /** Does not call listeners: whoever wants to commit closes its consumer before. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const consumer of this.#consumers) consumer.end();
    await Promise.all([...this.#readers].map((reader) => reader.close()));
    await Promise.all([...this.#producers].map((producer) => producer.close(closeMsMax)));
    this.#groups.close();
    try {
      await this.#scope.close();
      await this.#catalog.close();
      await this.#surroundings.syncer.close();
    } finally {
      await this.#lock.release();
    }
  }

  #assertOpen(): void {
    if (this.#closing === undefined) return;
    const { directory } = this.#surroundings.settings;
    throw new TaskError("embedded.closed", `the embedded log in ${directory} is closed`);
  }
}

function surroundingsOf(options: EmbeddedOptions): Surroundings {
  const logger = options.logger ?? silentLogger();
  const settings = {
    directory: resolve(options.directory),
    defaultPartitionCount: options.defaultPartitionCount ?? 1,
    retentionMs: options.retentionMs ?? 7 * 24 * 60 * 60 * 1_000,
    retentionBytes: options.retentionBytes ?? -1,
    segmentBytes: options.segmentBytes ?? 64 * 1024 * 1024,
    cleanIntervalMs: options.cleanIntervalMs ?? 60_000,
    rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? 60_000,
  };
  const policy = options.fsync ?? "interval";
  const syncer = new Syncer({ policy, intervalMs: options.fsyncIntervalMs ?? 1_000, logger });
  return { settings, syncer, logger, clock: options.clock ?? systemClock };
}

/** As Kafka's: 16 random bytes in 22 characters that a URL can have. */
async function readClusterId(path: string): Promise<string> {
  try {
    const meta = JSON.parse(await readFile(path, "utf8")) as { clusterId?: unknown };
    if (typeof meta.clusterId === "string") return meta.clusterId;
    throw new Error(`${path} has no clusterId`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const clusterId = randomBytes(16).toString("base64url");
  await writeDurably(path, `${JSON.stringify({ clusterId })}\n`);
  return clusterId;
}
