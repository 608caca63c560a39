/** The port over an Apache Kafka cluster: connects, and makes the clients. */
import { errorHint, RetriableError, TaskError } from "../base/error.ts";
import type { Logger } from "../observe/logger.ts";
import { createKafkaAdmin } from "./admin.ts";
import type { Transport } from "./calls.ts";
import { LaterTransport } from "./connection/later-transport.ts";
import { GroupMember as KafkaGroupMember } from "./group/group-member.ts";
import { KafkaSinkConsumer } from "./group/sink-consumer.ts";
import type {
  Admin,
  ClientConfig,
  GroupMember,
  GroupMemberOptions,
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

interface Client {
  close(timeoutMs: number): Promise<void>;
}

interface ClientParts {
  readonly transport: Transport;
  readonly logger: Logger;
  readonly onClose: () => void;
}

class ClusterKafka implements Kafka {
  readonly clusterId: string;
  readonly admin: Admin;
  readonly #base: ClientConfig;
  readonly #open: (config: ClientConfig, signal?: AbortSignal) => Promise<Transport>;
  readonly #logger: Logger;
  /** The worker's. */
  readonly #transport: Transport;
  /** Of clients with connection keys of their own, by those; closed behind the last of them. */
  readonly #ownTransports = new Map<string, { transport: Transport; clients: number }>();
  readonly #closing = new Set<Promise<void>>();
  readonly #clients = new Set<Client>();

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
    this.#transport = transport;
    this.admin = createKafkaAdmin({ transport, logger });
  }

  producer(options: ProducerOptions): Producer {
    return this.#client(options.config, (parts) => new KafkaProducer(options, parts));
  }

  async transactionalProducer(): Promise<never> {
    const text = "cannot make a transactional producer: this version of the driver has none";
    throw new TaskError("kafka.transactions_unsupported", text);
  }

  partitionReader(options: PartitionReaderOptions): PartitionReader {
    return this.#client(options.config, (parts) => new KafkaPartitionReader(options, parts));
  }

  sinkConsumer(options: SinkConsumerOptions): SinkConsumer {
    return this.#client(options.config, (parts) => new KafkaSinkConsumer(options, parts));
  }

  groupMember(options: GroupMemberOptions): GroupMember {
    return this.#client(options.config, ({ transport, onClose }) => {
      const own = { transport, instanceId: null, onLeft: onClose };
      const member = new KafkaGroupMember({ ...options, ...own });
      return Object.assign(member, { close: () => member.leave() });
    });
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#clients].map((client) => client.close(0)));
    await Promise.allSettled([this.#transport.close(), ...this.#closing]);
  }

  #client<Made extends Client>(
    own: ClientConfig | undefined,
    make: (parts: ClientParts) => Made,
  ): Made {
    const { transport, leave } = this.#transportFor(own);
    let made: Made | undefined;
    const onClose = () => {
      if (made !== undefined && this.#clients.delete(made)) leave();
    };
    try {
      made = make({ transport, logger: this.#logger, onClose });
    } catch (error) {
      leave();
      throw error;
    }
    this.#clients.add(made);
    return made;
  }

  #transportFor(own: ClientConfig | undefined): { transport: Transport; leave: () => void } {
    const config = own?.["bootstrap.servers"] === undefined ? { ...this.#base, ...own } : own;
    const key = connectionOf(config);
    if (key === connectionOf(this.#base)) return { transport: this.#transport, leave: () => {} };
    const open = (signal: AbortSignal) => this.#open(config, signal).catch(asPassing);
    const used = this.#ownTransports.get(key) ?? {
      transport: new LaterTransport(open),
      clients: 0,
    };
    this.#ownTransports.set(key, used);
    used.clients += 1;
    const leave = () => {
      used.clients -= 1;
      if (used.clients === 0) this.#leave(key, used.transport);
    };
    return { transport: used.transport, leave };
  }

  #leave(key: string, transport: Transport): void {
    this.#ownTransports.delete(key);
    const closing = transport.close().catch(() => {});
    this.#closing.add(closing);
    void closing.then(() => this.#closing.delete(closing));
  }
}

/** What is down may come back: clients wait for it, as they do for the brokers of the worker. */
function asPassing(error: unknown): never {
  if (!(error instanceof TaskError) || error.code !== "kafka.unreachable") throw error;
  const hint = errorHint(error);
  throw new RetriableError("kafka.disconnected", error.message, {
    cause: error.cause,
    ...(hint !== undefined && { hint }),
  });
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
