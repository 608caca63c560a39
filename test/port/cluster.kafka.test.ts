/** The port over a real cluster. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openKafka } from "../../src/kafka/open-kafka.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { sharedKafka, uniqueName } from "../harness/kafka/broker.ts";
import { freePorts } from "../harness/kafka/free-ports.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { waitFor } from "../harness/wait-for.ts";
import { testDeadLetters } from "./dead-letters.ts";
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
  testDeadLetters(port);

  test("a cluster of a client's own that is down is waited for, as the worker's is", async (t) => {
    const kafka = await port.open(t);
    const [free] = await freePorts(1);
    const config = { "bootstrap.servers": `127.0.0.1:${free}`, "default.api.timeout.ms": "50" };
    const reader = kafka.partitionReader({ clientId: "own", config });
    reader.assign([{ topic: "t", partition: 0, offset: 0 }]);
    assert.deepEqual(await reader.poll(500), []);
  });

  test("connections that only one client needs end with it", async (t) => {
    const kafka = await port.open(t);
    const topic = uniqueName("own");
    await kafka.admin.createTopic({
      name: topic,
      partitionCount: 1,
      replicationFactor: -1,
      config: {},
    });
    const sockets = () =>
      process.getActiveResourcesInfo().filter((each) => each === "TCPSocketWrap").length;
    const before = sockets();
    const { bootstrap } = await sharedKafka();
    const config = { "bootstrap.servers": `${bootstrap},${bootstrap}` };
    const readers = [1, 2].map(() => kafka.partitionReader({ clientId: "own", config }));
    for (const reader of readers) {
      reader.assign([{ topic, partition: 0, offset: 0 }]);
      assert.deepEqual(await reader.poll(100), []);
    }
    const [first, second] = readers;
    await first?.close();
    assert.ok(sockets() > before, "the other one still needs them");
    await second?.close();
    await waitFor(() => sockets() <= before, { withinMs: 20_000, what: "the sockets to end" });
    assert.throws(() => kafka.producer({ clientId: "own", config: { ...config, acks: "most" } }), {
      name: "ConfigError",
    });
  });
});
