/** The port over a real cluster. */
import { describe } from "node:test";
import { openKafka } from "../../src/kafka/open-kafka.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { sharedKafka, uniqueName } from "../harness/kafka/broker.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { testGroups } from "./groups.ts";
import type { LogPort } from "./log-port.ts";
import { testRecords } from "./records.ts";
import { testTopicLogs } from "./topic-logs.ts";

const { missing } = await kafkaJars();

const port: LogPort = {
  async open(t) {
    const { bootstrap: bootstrapServers } = await sharedKafka();
    const logger = silentLogger();
    const kafka = await openKafka({ bootstrapServers, config: {}, clientId: "port-test", logger });
    t.after(() => kafka.close());
    return kafka;
  },
  nameOf: uniqueName,
};

describe("a cluster", { skip: missing ?? false }, () => {
  testRecords(port);
  testGroups(port);
  testTopicLogs(port);
});
