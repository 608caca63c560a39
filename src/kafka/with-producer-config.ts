import type { ClientConfig, Kafka } from "./kafka.ts";

/** The same port, whose producers have `config` beneath their own. */
export function withProducerConfig(kafka: Kafka, config: ClientConfig): Kafka {
  return {
    clusterId: kafka.clusterId,
    admin: kafka.admin,
    producer: (options) => kafka.producer({ ...options, config: { ...config, ...options.config } }),
    transactionalProducer: (options) =>
      kafka.transactionalProducer({ ...options, config: { ...config, ...options.config } }),
    partitionReader: (options) => kafka.partitionReader(options),
    sinkConsumer: (options) => kafka.sinkConsumer(options),
    close: () => kafka.close(),
  };
}
