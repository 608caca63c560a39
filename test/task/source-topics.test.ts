/** What a source task does about topics that it writes to for the first time. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Deferred, deferred } from "../../src/base/deferred.ts";
import { TaskError } from "../../src/base/error.ts";
import { topicGroups } from "../../src/config/topic-creation.ts";
import type { Admin, NewTopic } from "../../src/kafka/kafka.ts";
import { SourceTask } from "../../src/task/source-task.ts";
import { FakeProducer, FakeSourceStream } from "../harness/fake-source.ts";
import { leaseOf, taskParts, taskSpec } from "../harness/task-parts.ts";
import { waitFor } from "../harness/wait-for.ts";

const inTime = { withinMs: 20_000 };
const groups = {
  "topic.creation.default.replication.factor": "-1",
  "topic.creation.default.partitions": "3",
};

/** Topics that a test lets come into being. */
class Topics implements Pick<Admin, "createTopic" | "describeTopic"> {
  readonly described: string[] = [];
  readonly created: NewTopic[] = [];
  readonly there = new Set<string>();
  /** Held back until the test says so. */
  gate: Deferred<void> | undefined;
  failure: Error | undefined;

  async describeTopic(name: string) {
    this.described.push(name);
    if (this.failure !== undefined) throw this.failure;
    return this.there.has(name) ? { name, partitionCount: 1, config: {} } : undefined;
  }

  async createTopic(topic: NewTopic) {
    this.created.push(topic);
    await this.gate?.promise;
    return true;
  }
}

function sourceOf(t: TestContext, config: Record<string, string> = groups) {
  const stream = new FakeSourceStream();
  const producer = new FakeProducer();
  const topics = new Topics();
  const used: string[] = [];
  const written: (string | null)[] = [];
  const lease = leaseOf({ startSourceTask: async () => stream });
  const parts = {
    ...taskParts(lease, { producer: () => producer, admin: topics as unknown as Admin }),
    topicGroups: topicGroups(config, true),
    useTopic: (topic: string) => used.push(topic),
    offsets: {
      read: async () => [],
      write: async (_connector: string, offsets: readonly { offset: string | null }[]) => {
        written.push(...offsets.map(({ offset }) => offset));
      },
    },
  };
  const task = new SourceTask(taskSpec("source"), parts, "STARTED", () => {});
  const stopping = new AbortController();
  const running = task.run(stopping.signal);
  running.catch(() => {});
  t.after(() => {
    topics.gate?.resolve();
    stopping.abort();
    stream.die("the test is over");
  });
  const stop = () => {
    stopping.abort();
    return running;
  };
  return { stream, producer, topics, used, written, running, stop };
}

test("a record waits for its topic, what stands before it does not, and nothing is asked twice", async (t) => {
  const { stream, producer, topics, used, written, stop } = sourceOf(t);
  topics.there.add("old");
  topics.gate = deferred();
  stream.records(["a", "bb", "ccc", "d"], 0, true, ["old", "new", "old", "new"]);
  await waitFor(() => topics.created.length === 1, inTime);
  assert.deepEqual(producer.values, ["a"]);
  topics.gate.resolve();
  await waitFor(() => producer.values.length === 4, inTime);
  stream.records(["e", "f"], 4, true, ["new", "old"]);
  await waitFor(() => producer.values.length === 6, inTime);
  await stop();
  assert.deepEqual(producer.values, ["a", "bb", "ccc", "d", "e", "f"]);
  assert.deepEqual(topics.described, ["old", "new"]);
  const made = { name: "new", partitionCount: 3, replicationFactor: -1, config: {} };
  assert.deepEqual(topics.created, [made]);
  assert.equal(written.at(-1), '{"n":6}');
  assert.deepEqual(used, ["old", "new", "old", "new", "new", "old"]);
});

test("without groups nobody is asked about topics", async (t) => {
  const { stream, producer, topics, used, stop } = sourceOf(t, {});
  stream.records(["a"], 0);
  await waitFor(() => producer.values.length === 1, inTime);
  await stop();
  assert.deepEqual(topics.described, []);
  assert.deepEqual(used, ["t"]);
});

test("I1: a topic that cannot be made fails the task, and only what was sent before is committed", async (t) => {
  const { stream, producer, topics, written, running } = sourceOf(t);
  topics.there.add("old");
  topics.createTopic = async () => {
    throw new TaskError("kafka.not_authorized", "cannot create topic new: no right");
  };
  stream.records(["a", "b", "c"], 0, true, ["old", "new", "old"]);
  await assert.rejects(running, (error: Error) => {
    assert.match(error.message, /^Task failed to create new topic \(name=new, numPartitions=3,/);
    assert.match(String(error.cause), /no right/);
    return true;
  });
  assert.deepEqual(producer.values, ["a"]);
  assert.deepEqual(written, ['{"n":1}']);
});

test("while nobody can tell whether a topic is there it is asked again, until it can be told", async (t) => {
  const { stream, producer, topics, stop } = sourceOf(t);
  topics.failure = new TaskError("kafka.call_timeout", "cannot describe topic t within 60 s");
  stream.records(["a"], 0);
  await waitFor(() => topics.described.length >= 2, inTime);
  assert.deepEqual(producer.values, []);
  topics.failure = undefined;
  await waitFor(() => producer.values.length === 1, inTime);
  await stop();
});

test("a task that is stopped meanwhile stops, and commits nothing of what it has not sent", async (t) => {
  const { stream, producer, topics, written, stop } = sourceOf(t);
  topics.failure = new TaskError("kafka.call_timeout", "cannot describe topic t within 60 s");
  stream.records(["a"], 0);
  await waitFor(() => topics.described.length >= 1, inTime);
  await stop();
  assert.deepEqual(producer.values, []);
  assert.deepEqual(written, []);
  assert.equal(stream.calls.at(-1), "stop");
});
