import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../base/error.ts";
import { groupFor, topicGroups } from "./topic-creation.ts";

const least = {
  "topic.creation.default.replication.factor": "-1",
  "topic.creation.default.partitions": "2",
};

function groupsOf(config: Record<string, string>) {
  const groups = topicGroups(config, true);
  assert.ok(groups);
  return groups;
}

test("topics are left to the log where the worker says so, or the connector says nothing", () => {
  assert.equal(topicGroups(least, false), undefined);
  assert.equal(topicGroups({ topic: "t", "topics.creation.x": "y" }, true), undefined);
  assert.ok(topicGroups(least, true));
});

test("the first group whose patterns fit a whole name is taken, the default for all others", () => {
  const groups = groupsOf({
    ...least,
    "topic.creation.groups": "logs, wide",
    "topic.creation.logs.include": "log, log-.*",
    "topic.creation.logs.exclude": ".*-raw, log-old",
    "topic.creation.logs.partitions": "1",
    "topic.creation.logs.cleanup.policy": "compact",
    "topic.creation.logs.retention.ms": " 5 ",
    "topic.creation.wide.include": "(?i)LOG.*",
    "topic.creation.wide.replication.factor": "3",
  });
  assert.deepEqual(
    groups.map(({ name, partitionCount, replicationFactor, config }) => ({
      name,
      partitionCount,
      replicationFactor,
      config,
    })),
    [
      {
        name: "logs",
        partitionCount: 1,
        replicationFactor: -1,
        config: { "cleanup.policy": "compact", "retention.ms": " 5 " },
      },
      { name: "wide", partitionCount: 2, replicationFactor: 3, config: {} },
      { name: "default", partitionCount: 2, replicationFactor: -1, config: {} },
    ],
  );
  const found = ["log", "log-a", "log-a-raw", "log-old", "logs", "a-log", "LOG"].map(
    (topic) => groupFor(groups, topic).name,
  );
  assert.deepEqual(found, ["logs", "logs", "wide", "wide", "wide", "default", "wide"]);
});

test("the default group is always last and takes everything, whatever it says of patterns", () => {
  const warnings: string[] = [];
  const config = {
    ...least,
    "topic.creation.groups": "default,a,default,a",
    "topic.creation.default.include": "never",
    "topic.creation.default.exclude": "(",
    "topic.creation.a.exclude": "x",
  };
  const groups = topicGroups(config, true, (text) => warnings.push(text)) ?? [];
  assert.deepEqual(
    groups.map(({ name }) => name),
    ["a", "default"],
  );
  // Without a pattern a group includes nothing.
  assert.equal(groupFor(groups, "x").name, "default");
  assert.deepEqual(groups.at(-1)?.config, {});
  assert.deepEqual(warnings, [
    "'default' topic creation group always exists and does not need to be listed explicitly",
  ]);
});

const positivePartitions =
  "Number of partitions must be positive, or -1 to use the broker's default";
const positiveFactor =
  "Replication factor must be positive and not larger than the number of brokers in the Kafka " +
  "cluster, or -1 to use the broker's default";

const wrong: { name: string; config: Record<string, string>; says: string; key: string }[] = [
  {
    name: "no replication factor, which is missed first",
    config: { "topic.creation.groups": "" },
    says: 'Missing required configuration "topic.creation.default.replication.factor" which has no default value.',
    key: "topic.creation.default.replication.factor",
  },
  {
    name: "no partitions",
    config: { "topic.creation.default.replication.factor": "1" },
    says: 'Missing required configuration "topic.creation.default.partitions" which has no default value.',
    key: "topic.creation.default.partitions",
  },
  {
    name: "a number that is none",
    config: { ...least, "topic.creation.default.partitions": "x" },
    says: "Invalid value x for configuration topic.creation.default.partitions: Not a number of type INT",
    key: "topic.creation.default.partitions",
  },
  {
    name: "a replication factor that no short holds",
    config: { ...least, "topic.creation.default.replication.factor": "40000" },
    says: "Invalid value 40000 for configuration topic.creation.default.replication.factor: Not a number of type SHORT",
    key: "topic.creation.default.replication.factor",
  },
  {
    name: "no partition at all",
    config: { ...least, "topic.creation.default.partitions": "0" },
    says: `Invalid value 0 for configuration partitions: ${positivePartitions}`,
    key: "topic.creation.default.partitions",
  },
  {
    name: "a group's replication factor below -1",
    config: {
      ...least,
      "topic.creation.groups": "g",
      "topic.creation.g.replication.factor": "-2",
    },
    says: `Invalid value -2 for configuration replication.factor: ${positiveFactor}`,
    key: "topic.creation.g.replication.factor",
  },
];

for (const { name, config, says, key } of wrong) {
  test(`groups with ${name} are told in Connect's words, with the key`, () => {
    assert.throws(
      () => topicGroups(config, true),
      (error) => {
        assert.ok(error instanceof ConfigError);
        assert.equal(error.message, says);
        assert.deepEqual(error.problems, [{ key, message: says }]);
        return true;
      },
    );
  });
}

test("a pattern that cannot be read is told with the list that it stands in", () => {
  const config = {
    ...least,
    "topic.creation.groups": "g",
    "topic.creation.g.include": "a, b(",
  };
  assert.throws(() => topicGroups(config, true), {
    message:
      /^Invalid value \[a, b\(\] for configuration include: Syntax error in regular expression: Unclosed group/,
  });
});
