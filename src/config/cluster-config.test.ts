import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../base/error.ts";
import { parseClusterConfig } from "./cluster-config.ts";

const least = {
  "group.id": "connect-cluster",
  "config.storage.topic": "connect-configs",
  "offset.storage.topic": "connect-offsets",
  "status.storage.topic": "connect-status",
};
const hasAlgorithm = (name: string) => name.startsWith("HmacSHA");
const parse = (properties: Record<string, string>) =>
  parseClusterConfig({ ...least, ...properties }, hasAlgorithm, "the worker config file w");

test("the defaults are Connect's", () => {
  const { keys, configTopic, offsetTopic, statusTopic, ...rest } = parse({});
  assert.deepEqual(rest, {
    groupId: "connect-cluster",
    sessionTimeoutMs: 10_000,
    heartbeatIntervalMs: 3_000,
    rebalanceTimeoutMs: 60_000,
    syncTimeoutMs: 3_000,
    unsyncBackoffMs: 300_000,
    protocol: "sessioned",
    rebalanceDelayMsMax: 300_000,
    signatureAlgorithm: "HmacSHA256",
    verificationAlgorithms: ["HmacSHA256"],
    warnings: [],
  });
  assert.deepEqual(keys, { algorithm: "HmacSHA256", sizeBits: null, ttlMs: 3_600_000 });
  const topic = { replicationFactor: 3, config: {} };
  assert.deepEqual(configTopic, { name: "connect-configs", partitionCount: 1, ...topic });
  assert.deepEqual(offsetTopic, { name: "connect-offsets", partitionCount: 25, ...topic });
  assert.deepEqual(statusTopic, { name: "connect-status", partitionCount: 5, ...topic });
});

test("topics get what stands behind their prefix, but for what they always are", () => {
  const { configTopic, warnings } = parse({
    "config.storage.replication.factor": "-1",
    "config.storage.partitions": "4",
    "config.storage.min.insync.replicas": "2",
    "config.storage.cleanup.policy": "delete",
  });
  assert.deepEqual(configTopic, {
    name: "connect-configs",
    partitionCount: 1,
    replicationFactor: -1,
    config: { "min.insync.replicas": "2" },
  });
  assert.deepEqual(warnings, [
    "config.storage.cleanup.policy of the worker config has no effect: the topic is always compacted",
    "config.storage.partitions of the worker config has no effect: it is always one",
  ]);
});

const wrongs: { given: Record<string, string>; says: string }[] = [
  {
    given: { "group.id": "" },
    says: "Invalid value  for configuration group.id: String must be non-empty",
  },
  {
    given: { "connect.protocol": "modern" },
    says: "Invalid value modern for configuration connect.protocol: String must be one of: eager, compatible, sessioned",
  },
  {
    given: { "offset.storage.partitions": "0" },
    says: "Invalid value 0 for configuration offset.storage.partitions: Number of partitions must be positive, or -1 to use the broker's default",
  },
  {
    given: { "status.storage.replication.factor": "-2" },
    says: "Invalid value -2 for configuration status.storage.replication.factor: Replication factor must be positive and not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default",
  },
  {
    given: { "inter.worker.key.generation.algorithm": "Rot13" },
    says: "Invalid value Rot13 for configuration inter.worker.key.generation.algorithm: Algorithm Rot13 not available",
  },
  {
    given: { "inter.worker.signature.algorithm": "HmacSHA512" },
    says: "Invalid value HmacSHA512 for configuration inter.worker.signature.algorithm: inter.worker.verification.algorithms must contain it",
  },
  {
    given: { "heartbeat.interval.ms": "10000" },
    says: "Invalid value 10000 for configuration heartbeat.interval.ms: Value must be less than session.timeout.ms",
  },
  {
    given: { "offset.storage.topic": "connect-configs" },
    says: "Invalid value connect-configs for configuration offset.storage.topic: configs, offsets and states need a topic each",
  },
];

for (const { given, says } of wrongs) {
  test(`${Object.keys(given)[0]}=${Object.values(given)[0]} is refused with what is wrong`, () => {
    assert.throws(
      () => parse(given),
      (error) => {
        assert.ok(error instanceof ConfigError);
        assert.equal(error.message, "cannot use the worker config file w: one problem");
        assert.deepEqual(
          error.problems.map(({ message }) => message),
          [says],
        );
        return true;
      },
    );
  });
}

test("what is missing is told all at once", () => {
  assert.throws(
    () => parseClusterConfig({ "group.id": "g" }, hasAlgorithm),
    (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(
        error.problems.map(({ key }) => key),
        ["config.storage.topic", "offset.storage.topic", "status.storage.topic"],
      );
      return true;
    },
  );
});
