/** What the Kafka clients of a worker and of its tasks are configured with. */
import { kafkaClientKeys } from "./worker-keys.ts";

type Properties = Readonly<Record<string, string>>;

export interface KafkaClients {
  /** Of the worker itself; tasks' clients have it beneath theirs as far as it says how to connect. */
  readonly worker: Properties;
  /** Of source tasks: Connect's settings, then the worker's `producer.*`. */
  readonly producer: Properties;
  /** Of sink tasks: Connect's settings, then the worker's `consumer.*`. */
  readonly consumer: Properties;
}

/** `Worker.baseProducerConfigs` of Connect 4.1, and a batch size of ours. */
const taskProducer: Properties = {
  "max.block.ms": "9223372036854775807",
  "enable.idempotence": "false",
  acks: "all",
  "max.in.flight.requests.per.connection": "1",
  "delivery.timeout.ms": "2147483647",
  // Java's 16 KiB make a request of every 150 small records; a batch still leaves when linger.ms is over.
  "batch.size": "262144",
};

/** `Worker.baseConsumerConfigs` of Connect 4.1, and two bounds of ours. */
const taskConsumer: Properties = {
  "enable.auto.commit": "false",
  "auto.offset.reset": "earliest",
  // Larger answers cost less each; what is read ahead of the plugin is held in memory, so less of it.
  "max.partition.fetch.bytes": "4194304",
  "fetch.max.bytes": "16777216",
};

/** From the properties of a worker file. */
export function kafkaClients(properties: Properties): KafkaClients {
  const worker = Object.entries(properties).filter(([key]) =>
    kafkaClientKeys.some((pattern) => pattern.test(key)),
  );
  return {
    worker: Object.fromEntries(worker),
    producer: { ...taskProducer, ...withoutPrefix(properties, "producer.") },
    consumer: { ...taskConsumer, ...withoutPrefix(properties, "consumer.") },
  };
}

/** The keys below a prefix, without it. */
export function withoutPrefix(properties: Properties, prefix: string): Properties {
  const found: Record<string, string> = {};
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith(prefix)) found[key.slice(prefix.length)] = value;
  }
  return found;
}
