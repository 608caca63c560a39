import type { ClientConfig, Kafka } from "./kafka.ts";

/** What clients of one kind have beneath what they bring themselves. */
export interface ClientConfigs {
  readonly producer: ClientConfig;
  readonly consumer: ClientConfig;
}

/** The same port, whose clients have `configs` beneath their own. */
export function withClientConfig(kafka: Kafka, { producer, consumer }: ClientConfigs): Kafka {
  const over = <T extends { config?: ClientConfig }>(below: ClientConfig, options: T): T => ({
    ...options,
    config: { ...below, ...options.config },
  });
  return {
    clusterId: kafka.clusterId,
    admin: kafka.admin,
    producer: (options) => kafka.producer(over(producer, options)),
    transactionalProducer: (options) => kafka.transactionalProducer(over(producer, options)),
    partitionReader: (options) => kafka.partitionReader(over(consumer, options)),
    sinkConsumer: (options) => {
      const reset = consumer["auto.offset.reset"];
      const isKnown = reset === "earliest" || reset === "latest";
      const autoOffsetReset = isKnown ? reset : options.autoOffsetReset;
      return kafka.sinkConsumer({ ...over(consumer, options), autoOffsetReset });
    },
    groupMember: (options) => kafka.groupMember(options),
    close: () => kafka.close(),
  };
}
