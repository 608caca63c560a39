/** The two forms of the log port, as the suites in this folder open them. */
import type { TestContext } from "node:test";
import type { Kafka } from "../../src/kafka/kafka.ts";

export interface LogPort {
  /** Closed after the test. */
  open(t: TestContext): Promise<Kafka>;
  /** A topic or a group of its own for each test: a cluster is shared. */
  nameOf(what: string): string;
}

/** Makes a topic and says its name. */
export async function newTopic(
  port: LogPort,
  kafka: Kafka,
  {
    partitionCount = 1,
    config = {},
  }: { partitionCount?: number; config?: Record<string, string> } = {},
): Promise<string> {
  const name = port.nameOf("topic");
  await kafka.admin.createTopic({ name, partitionCount, replicationFactor: -1, config });
  return name;
}
