/** The names under which a level can be set: of host parts, connectors and plugins. */

/** The parts of the host that log, and what their counterparts in Apache's worker are called. */
const javaNames = {
  host: ["org.apache.kafka.connect.cli"],
  connector: ["org.apache.kafka.connect.runtime.WorkerConnector"],
  embedded: ["org.apache.kafka.clients"],
  herder: [
    "org.apache.kafka.connect.runtime.standalone",
    "org.apache.kafka.connect.runtime.distributed",
  ],
  kafka: ["org.apache.kafka.clients", "org.apache.kafka.connect.util.KafkaBasedLog"],
  plugin: ["org.apache.kafka.connect.runtime.isolation"],
  rest: ["org.apache.kafka.connect.runtime.rest"],
  store: ["org.apache.kafka.connect.storage"],
  task: ["org.apache.kafka.connect.runtime.WorkerTask"],
  worker: ["org.apache.kafka.connect.runtime.Worker"],
} as const;

export type HostPart = keyof typeof javaNames;

/** What a logger was bound with that a name is made of. */
export interface LoggerBindings {
  readonly connector?: unknown;
  readonly connectors?: unknown;
  readonly plugin?: unknown;
  readonly part?: unknown;
}

/**
 * The names that a level for this logger may be set under, the one that counts most first:
 * `connector.NAME`, `plugin.NAME`, `bulkhead.PART` and the Java names of that part.
 */
export function loggerNames(bindings: LoggerBindings): readonly string[] {
  const { plugin, part } = bindings;
  const names = connectorsOf(bindings).map(connectorLogger);
  if (typeof plugin === "string") names.push(pluginLogger(plugin));
  if (isHostPart(part)) names.push(`bulkhead.${part}`, ...javaNames[part]);
  return names;
}

/** The connectors that a line is about. */
export function connectorsOf(bindings: LoggerBindings): string[] {
  const { connector, connectors } = bindings;
  if (typeof connector === "string") return [connector];
  if (!Array.isArray(connectors)) return [];
  return connectors.filter((name) => typeof name === "string");
}

/** `connector.NAME` */
export function connectorLogger(connector: string): string {
  return `connector.${connector}`;
}

/** `plugin.NAME` */
export function pluginLogger(plugin: string): string {
  return `plugin.${plugin}`;
}

/** Names that mean something in the host only; every other one is sent to the plugins. */
export function isHostLogger(name: string): boolean {
  return /^(bulkhead|connector|plugin)(\.|$)/.test(name);
}

function isHostPart(part: unknown): part is HostPart {
  return typeof part === "string" && Object.hasOwn(javaNames, part);
}
