import assert from "node:assert/strict";
import { test } from "node:test";
import { RetriableError, TaskError } from "../base/error.ts";
import type { ErrorCode } from "../base/error-code.ts";
import { topicGroups } from "../config/topic-creation.ts";
import type { NewTopic, TopicDescription } from "../kafka/kafka.ts";
import { silentLogger } from "../observe/logger.ts";
import { TopicCreation } from "./topic-creation.ts";

const groups = topicGroups(
  {
    "topic.creation.default.replication.factor": "1",
    "topic.creation.default.partitions": "-1",
    "topic.creation.groups": "wide",
    "topic.creation.wide.include": "w.*",
    "topic.creation.wide.partitions": "9",
    "topic.creation.wide.cleanup.policy": "compact",
    "topic.creation.wide.retention.ms": "5",
  },
  true,
);

interface Log {
  readonly describe?: () => Promise<TopicDescription | undefined>;
  readonly create?: () => Promise<boolean>;
}

function creationOver({ describe, create }: Log) {
  const calls: (string | NewTopic)[] = [];
  const admin = {
    describeTopic: async (name: string) => {
      calls.push(name);
      return describe?.();
    },
    createTopic: async (topic: NewTopic) => {
      calls.push(topic);
      return create === undefined ? true : create();
    },
  };
  const creation = new TopicCreation({ groups: groups ?? [], admin, logger: silentLogger() });
  return { calls, creation };
}

const described = { name: "t", partitionCount: 1, config: {} };

test("a topic that is there is left as it is, and not asked about again", async () => {
  const { calls, creation } = creationOver({ describe: async () => described });
  assert.equal(creation.isKnown("t"), false);
  await creation.ensure("t");
  assert.equal(creation.isKnown("t"), true);
  assert.deepEqual(calls, ["t"]);
});

test("a topic that is missing is made as its group says", async () => {
  const { calls, creation } = creationOver({});
  await creation.ensure("w1");
  await creation.ensure("t");
  assert.deepEqual(calls, [
    "w1",
    {
      name: "w1",
      partitionCount: 9,
      replicationFactor: 1,
      config: { "cleanup.policy": "compact", "retention.ms": "5" },
    },
    "t",
    { name: "t", partitionCount: -1, replicationFactor: 1, config: {} },
  ]);
  assert.ok(creation.isKnown("w1"));
});

test("a topic that somebody else has made meanwhile is taken", async () => {
  const { creation } = creationOver({ create: async () => false });
  await creation.ensure("t");
  assert.ok(creation.isKnown("t"));
});

const error =
  (code: ErrorCode, message = "no", cause?: Error) =>
  async () => {
    throw new TaskError(code, message, cause === undefined ? {} : { cause });
  };

const wide =
  "(name=w, numPartitions=9, replicationFactor=1, replicasAssignments=null, " +
  "configs={cleanup.policy=compact, retention.ms=5})";

const failing: { name: string; log: Log; says: string }[] = [
  {
    name: "may not be looked at",
    log: { describe: error("kafka.not_authorized") },
    says: "Not authorized to describe topic(s) 'w'",
  },
  {
    name: "cannot be looked at",
    log: { describe: error("kafka.broker_refused") },
    says: "Error while attempting to describe topics 'w'",
  },
  {
    name: "may not be made",
    log: { create: error("kafka.not_authorized") },
    says:
      `Task failed to create new topic ${wide}. Ensure that the task is authorized to create topics ` +
      "or that the topic exists and restart the task",
  },
  {
    name: "no broker can make",
    log: { create: error("kafka.version_unsupported") },
    says:
      `Task failed to create new topic ${wide}. Ensure that the task is authorized to create topics ` +
      "or that the topic exists and restart the task",
  },
  {
    name: "has a setting that brokers do not know",
    log: { create: error("kafka.topic_invalid", "refused", new Error("Unknown topic config x")) },
    says: "Unable to create topic(s) 'w': Unknown topic config x",
  },
  {
    name: "has a setting that the embedded log does not take",
    log: { create: error("kafka.topic_invalid", "cannot make topic w: retention.ms soon") },
    says: "Unable to create topic(s) 'w': cannot make topic w: retention.ms soon",
  },
  {
    name: "is not made in time",
    log: { create: error("kafka.call_timeout") },
    says:
      "Timed out while checking for or creating topic(s) 'w'. This could indicate a connectivity " +
      "issue, unavailable topic partitions, or if this is your first use of the topic it may have " +
      "taken too long to create.",
  },
  {
    name: "is refused otherwise",
    log: { create: error("kafka.broker_refused") },
    says: "Error while attempting to create/find topic(s) 'w'",
  },
];

for (const { name, log, says } of failing) {
  test(`a topic that ${name} fails the task in Connect's words`, async () => {
    const { creation } = creationOver(log);
    await assert.rejects(creation.ensure("w"), {
      name: "TaskError",
      code: "task.topic_creation",
      javaClass: "org.apache.kafka.connect.errors.ConnectException",
      message: says,
    });
    assert.equal(creation.isKnown("w"), false);
  });
}

test("a topic that nobody could tell of in time may be asked about again", async () => {
  let isDown = true;
  const { creation } = creationOver({
    describe: () => (isDown ? error("kafka.call_timeout")() : Promise.resolve(described)),
  });
  await assert.rejects(creation.ensure("t"), (late) => {
    assert.ok(late instanceof RetriableError);
    assert.equal(late.message, "Timed out while describing topics 't'");
    return true;
  });
  isDown = false;
  await creation.ensure("t");
  assert.ok(creation.isKnown("t"));
});
