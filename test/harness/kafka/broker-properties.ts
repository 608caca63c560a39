/** What a test broker is configured with. */

/** The ports of a node. */
export interface BrokerPorts {
  /** Where clients connect; plain text. */
  client: number;
  /** Where the nodes of a cluster, and the Java tools, connect: never behind a proxy. */
  internal: number;
  controller: number;
}

/** A node as `brokerProperties` writes it down. */
export interface BrokerSettings {
  id: number;
  /** `log.dirs`. */
  data: string;
  ports: BrokerPorts;
  /** What clients are told to connect to instead of `ports.client`: a proxy's port. */
  advertisedPort?: number | undefined;
  /** The controllers of the cluster; by itself without. */
  voters?: readonly { id: number; port: number }[];
  /** How many copies the internal topics have. */
  replicas?: number;
  /** Listeners besides those of `ports`, by name. */
  listeners?: Readonly<Record<string, { port: number; protocol: string }>>;
  /** Any other keys; they win. */
  config?: Readonly<Record<string, string>>;
}

/** The text of `server.properties`. */
export function brokerProperties(settings: BrokerSettings): string {
  const { id, data, ports, advertisedPort = ports.client, replicas = 1 } = settings;
  const voters = settings.voters ?? [{ id, port: ports.controller }];
  const extra = Object.entries(settings.listeners ?? {});
  const at = (name: string, port: number) => `${name}://127.0.0.1:${port}`;
  const others = [
    at("INTERNAL", ports.internal),
    ...extra.map(([name, { port }]) => at(name, port)),
  ];
  const protocols = extra.map(([name, { protocol }]) => `,${name}:${protocol}`).join("");
  const properties: Record<string, string> = {
    "process.roles": "broker,controller",
    "node.id": String(id),
    "controller.quorum.voters": voters.map((v) => `${v.id}@127.0.0.1:${v.port}`).join(","),
    listeners: [at("PLAINTEXT", ports.client), ...others, at("CONTROLLER", ports.controller)].join(
      ",",
    ),
    "advertised.listeners": [at("PLAINTEXT", advertisedPort), ...others].join(","),
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": `PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT${protocols}`,
    "inter.broker.listener.name": "INTERNAL",
    "log.dirs": data,
    "offsets.topic.replication.factor": String(replicas),
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": String(replicas),
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.min.isr": "1",
    "default.replication.factor": String(replicas),
    "group.initial.rebalance.delay.ms": "0",
    // A killed node is missed, and let in again, a third as late as by default.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    // Two cores and a small heap: fewer threads than a server has, and no 128 MiB for the cleaner.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "4",
    "log.cleaner.dedupe.buffer.size": String(8 * 1024 * 1024),
    ...settings.config,
  };
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value}\n`)
    .join("");
}
