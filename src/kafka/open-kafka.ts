/** The port over an Apache Kafka cluster: connects, and makes the clients. */
import { errorHint, RetriableError, TaskError } from "../base/error.ts";
import type { Logger } from "../observe/logger.ts";
import { createKafkaAdmin } from "./admin.ts";
import type { Transport } from "./calls.ts";
import { LaterTransport } from "./connection/later-transport.ts";
import { KafkaSinkConsumer } from "./group/sink-consumer.ts";
import type {
  Admin,
  ClientConfig,
  Kafka,
  PartitionReader,
  PartitionReaderOptions,
  Producer,
  ProducerOptions,
  SinkConsumer,
  SinkConsumerOptions,
} from "./kafka.ts";
import { KafkaProducer } from "./producer/producer.ts";
import { KafkaPartitionReader } from "./reader/partition-reader.ts";
import { createTransport } from "./transport.ts";

export interface OpenKafkaOptions {
  /** As the key `bootstrap.servers` has them: `a:9092,b:9092`. */
  readonly bootstrapServers: string;
  /** The keys of the connection (`security.*`, `sasl.*`, `ssl.*`, timeouts), as Java's clients name them. */
  readonly config: ClientConfig;
  readonly clientId: string;
  readonly logger: Logger;
}

/**
 * Connects to a cluster, waiting `default.api.timeout.ms` (a minute) for one that cannot be reached.
 * A client whose own config has other connection keys gets connections of its own: over those of the
 * worker, or instead of them when it names other `bootstrap.servers`.
 * @throws ConfigError for connection keys that cannot be used; TaskError `kafka.unreachable`,
 *   `kafka.authentication_failed`
 */
export async function openKafka(options: OpenKafkaOptions): Promise<Kafka> {
  const base = { ...options.config, "bootstrap.servers": options.bootstrapServers };
  const open = (config: ClientConfig, signal?: AbortSignal) => connect(config, options, signal);
  return new ClusterKafka(base, await open(base), open, options.logger);
}

class ClusterKafka implements Kafka {
  readonly clusterId: string;
  readonly admin: Admin;
  readonly #base: ClientConfig;
  readonly #open: (config: ClientConfig, signal?: AbortSignal) => Promise<Transport>;
  readonly #logger: Logger;
  readonly #transports = new Map<string, Transport>();
  readonly #clients = new Set<{ close(timeoutMs: number): Promise<void> }>();

  constructor(
    base: ClientConfig,
    transport: Transport,
    open: (config: ClientConfig, signal?: AbortSignal) => Promise<Transport>,
    logger: Logger,
  ) {
    this.clusterId = transport.clusterId;
    this.#base = base;
    this.#open = open;
    this.#logger = logger;
    this.#transports.set(connectionOf(base), transport);
    this.admin = createKafkaAdmin({ transport, logger });
  }

  producer(options: ProducerOptions): Producer {
    const parts = this.#partsFor(options.config, () => this.#clients.delete(made));
    const made: Producer = new KafkaProducer(options, parts);
    this.#clients.add(made);
    return made;
  }

  async transactionalProducer(): Promise<never> {
    const text = "cannot make a transactional producer: this version of the driver has none";
    throw new TaskError("kafka.transactions_unsupported", text);
  }

  partitionReader(options: PartitionReaderOptions): PartitionReader {
    const parts = this.#partsFor(options.config, () => this.#clients.delete(made));
    const made: PartitionReader = new KafkaPartitionReader(options, parts);
    this.#clients.add(made);
    return made;
  }

  sinkConsumer(options: SinkConsumerOptions): SinkConsumer {
    const parts = this.#partsFor(options.config, () => this.#clients.delete(made));
    const made: SinkConsumer = new KafkaSinkConsumer(options, parts);
    this.#clients.add(made);
    return made;
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#clients].map((client) => client.close(0)));
    await Promise.allSettled([...this.#transports.values()].map((transport) => transport.close()));
  }

  #partsFor(
    own: ClientConfig | undefined,
    onClose: () => void,
  ): { transport: Transport; logger: Logger; onClose: () => void } {
    const config = own?.["bootstrap.servers"] === undefined ? { ...this.#base, ...own } : own;
    const key = connectionOf(config);
    const transport =
      this.#transports.get(key) ?? new LaterTransport((signal) => this.#open(config, signal));
    this.#transports.set(key, transport);
    return { transport, logger: this.#logger, onClose };
  }
}

/** Same text, same cluster and same user. */
function connectionOf(config: ClientConfig): string {
  const entries = Object.entries(config).filter(([key]) =>
    /^(bootstrap\.servers$|security\.|sasl\.|ssl\.)/.test(key),
  );
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function connect(
  config: ClientConfig,
  options: OpenKafkaOptions,
  signal?: AbortSignal,
): Promise<Transport> {
  const { clientId, logger } = options;
  const bootstrapServers = (config["bootstrap.servers"] ?? "")
    .split(",")
    .map((server) => server.trim())
    .filter((server) => server !== "");
  try {
    return await createTransport({
      bootstrapServers,
      config,
      clientId,
      logger,
      ...(signal && { signal }),
    });
  } catch (error) {
    if (!(error instanceof RetriableError) || signal?.aborted) throw error;
    const servers = bootstrapServers.join(", ");
    throw new TaskError("kafka.unreachable", `cannot reach a Kafka cluster at ${servers}`, {
      cause: error,
      hint:
        errorHint(error) ??
        "see that a broker runs there, and look at bootstrap.servers and security.protocol",
    });
  }
}
