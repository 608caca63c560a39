import assert from "node:assert/strict";
import { test } from "node:test";
import { RetriableError, TaskError } from "../../src/base/error.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { connectorName } from "../../src/state/id.ts";
import type { TaskStatus } from "../../src/state/status.ts";
import { openConfigStore } from "../../src/store/config-store.ts";
import { encodeText } from "../../src/store/java-json.ts";
import { openOffsetStore } from "../../src/store/offset-store.ts";
import { openStatusStore } from "../../src/store/status-store.ts";
import { FakeClock } from "../harness/fake-clock.ts";
import { MemoryTopics } from "../harness/memory-log.ts";
import { waitFor } from "../harness/wait-for.ts";

const a = connectorName("a");
const logger = silentLogger();

const openOffsets = (topics: MemoryTopics) =>
  openOffsetStore({ openLog: topics.open, topic: "offsets", partitionCount: 25, logger });

async function put(topics: MemoryTopics, topic: string, key: string, value: string | null) {
  const log = await topics.open({ topic, partitionCount: 1, onRecord: () => {} });
  await log.append(encodeText(key), value === null ? null : encodeText(value));
}

test("an offset is found by the value of its partition and written under the key that is there", async () => {
  const topics = new MemoryTopics();
  await put(topics, "offsets", '["a",{"file":"x", "part":1}]', '{"position":17}');
  const store = await openOffsets(topics);
  const asked = ['{"part":1,"file":"x"}', '{"file":"x","part":1.0}', "null"];
  assert.deepEqual(await store.read("a", asked), ['{"position":17}', null, null]);
  assert.deepEqual(await store.read("b", asked), [null, null, null]);
  await store.write("a", [
    { partition: '{"part":1,"file":"x"}', offset: '{ "position" : 18 }' },
    { partition: '{"z":1,"a":2}', offset: "7" },
  ]);
  assert.deepEqual(topics.texts("offsets").slice(1), [
    { key: '["a",{"file":"x", "part":1}]', value: '{ "position" : 18 }' },
    { key: '["a",{"z":1,"a":2}]', value: "7" },
  ]);
  assert.deepEqual(await store.read("a", ['{"file":"x","part":1}', '{"a":2,"z":1}']), [
    '{ "position" : 18 }',
    "7",
  ]);
  await store.close();
});

test("a null offset removes the entry, and a restart reads what was written", async () => {
  const topics = new MemoryTopics();
  const first = await openOffsets(topics);
  await first.write("a", [
    { partition: '{"p":1}', offset: '{"o":1}' },
    { partition: '{"p":2}', offset: '{"o":2}' },
  ]);
  await first.write("a", [{ partition: '{"p":1}', offset: null }]);
  await first.close();
  const second = await openOffsets(topics);
  assert.deepEqual(await second.read("a", ['{"p":1}', '{"p":2}']), [null, '{"o":2}']);
});

test("offset records of other programs are passed over; a partition that is no JSON is refused", async () => {
  const topics = new MemoryTopics();
  await put(topics, "offsets", "not json", "{}");
  const store = await openOffsets(topics);
  assert.deepEqual(await store.read("a", ["{}"]), [null]);
  await assert.rejects(store.read("a", ["{"]), /the source partition \{ of a is not JSON/);
  await assert.rejects(store.write("a", [{ partition: "x", offset: null }]), TaskError);
});

async function openStatuses(topics: MemoryTopics, clock = new FakeClock()) {
  return openStatusStore({
    openLog: topics.open,
    topic: "status",
    partitionCount: 5,
    logger,
    clock,
    onChange: () => {},
  });
}

const status = (over: Partial<TaskStatus> = {}): TaskStatus => ({
  state: "RUNNING",
  workerId: "here:1",
  generation: 3,
  trace: null,
  version: "1",
  ...over,
});

test("I3: a status counts once it was read back, and the newest of an instance wins", async () => {
  const topics = new MemoryTopics();
  const store = await openStatuses(topics);
  store.putConnector(a, status());
  store.putTask({ connector: a, task: 10 }, status());
  store.putTask({ connector: a, task: 2 }, status({ state: "PAUSED" }));
  store.putConnector(a, status({ state: "PAUSED" }));
  assert.equal(store.connector(a), undefined);
  await store.flush();
  assert.equal(store.connector(a)?.state, "PAUSED");
  assert.equal(store.task({ connector: a, task: -1 }), undefined);
  assert.deepEqual(
    store.tasks(a).map(({ task }) => task),
    [2, 10],
  );
  store.removeTask({ connector: a, task: 2 });
  store.removeTask({ connector: a, task: 2 });
  store.removeTask({ connector: a, task: 99 });
  await store.flush();
  assert.equal(store.task({ connector: a, task: 2 }), undefined);
  assert.equal(topics.texts("status").filter(({ value }) => value === null).length, 1);
});

const safeWrites = [
  { name: "the same worker", known: { generation: 9 }, isWritten: true },
  { name: "another worker, earlier", known: { workerId: "b:1", generation: 2 }, isWritten: true },
  { name: "another worker, now", known: { workerId: "b:1", generation: 3 }, isWritten: true },
  { name: "another worker, later", known: { workerId: "b:1", generation: 4 }, isWritten: false },
];

for (const { name, known, isWritten } of safeWrites) {
  test(`a safe status over one of ${name} is ${isWritten ? "" : "not "}written`, async () => {
    const store = await openStatuses(new MemoryTopics());
    store.putConnector(a, status(known));
    await store.flush();
    store.putConnector(a, status({ state: "FAILED" as never }), { safe: true });
    await store.flush();
    assert.equal(store.connector(a)?.state, isWritten ? "FAILED" : "RUNNING");
  });
}

test("the last word of a task's former worker does not hide that it runs elsewhere", async () => {
  const topics = new MemoryTopics();
  const store = await openStatuses(topics);
  const id = { connector: a, task: 0 };
  store.putTask(id, status({ workerId: "b:1", generation: 4 }));
  await store.flush();
  store.putTask(id, status({ state: "UNASSIGNED", generation: 4 }));
  await store.flush();
  assert.equal(store.task(id)?.state, "RUNNING");
  store.putTask(id, status({ state: "UNASSIGNED", workerId: "b:1", generation: 4 }));
  await store.flush();
  assert.equal(store.task(id)?.state, "UNASSIGNED");
});

test("a status that cannot be written for now is written later, in its newest form", async () => {
  const topics = new MemoryTopics();
  const clock = new FakeClock();
  const store = await openStatuses(topics, clock);
  topics.failure = new RetriableError("kafka.topic_log_failed", "not now");
  store.putConnector(a, status());
  await waitFor(() => clock.sleepsMs.length === 1, { withinMs: 20_000 });
  store.putConnector(a, status({ state: "PAUSED" }));
  topics.failure = undefined;
  clock.pass(1_000);
  await store.flush();
  assert.equal(store.connector(a)?.state, "PAUSED");
  assert.equal(topics.records("status").length, 1);
  topics.failure = new Error("never");
  store.putConnector(a, status({ state: "UNASSIGNED" }));
  await store.flush();
  assert.equal(store.connector(a)?.state, "PAUSED");
});

const overtaking: { by: string; newer: Partial<TaskStatus>; is: string }[] = [
  { by: "nothing", newer: {}, is: "FAILED" },
  { by: "a newer one of its own", newer: { state: "PAUSED" }, is: "PAUSED" },
  { by: "one of another worker", newer: { state: "RUNNING", workerId: "b:1" }, is: "RUNNING" },
];

for (const { by, newer, is } of overtaking) {
  test(`a status that nobody waits for is written when that works again, overtaken by ${by}`, async () => {
    const topics = new MemoryTopics();
    const clock = new FakeClock();
    const store = await openStatuses(topics, clock);
    topics.failure = new TaskError("embedded.disk_full", "no room");
    store.putConnector(a, status({ state: "FAILED" as never }));
    await store.flush();
    await waitFor(() => clock.sleepsMs.length === 1, { withinMs: 20_000 });
    topics.failure = undefined;
    if (newer.workerId !== undefined) {
      const other = await openStatuses(topics, clock);
      other.putConnector(a, status(newer));
      await other.flush();
      await store.flush();
      await other.close();
    } else if (newer.state !== undefined) store.putConnector(a, status(newer));
    clock.pass(10_000);
    await waitFor(() => store.connector(a)?.state === is, { withinMs: 20_000, what: is });
    await store.flush();
    assert.equal(store.connector(a)?.state, is);
    assert.equal(topics.records("status").length, 1);
    await store.close();
  });
}

const topicWords = (topics: MemoryTopics) =>
  topics.texts("status").map(({ key, value }) => [key, value === null ? null : "used"]);

test("a topic in use is written once, however often it is used before it was read back", async () => {
  const topics = new MemoryTopics();
  const store = await openStatuses(topics);
  for (let time = 0; time < 3; time += 1) {
    store.useTopic({ connector: a, task: 1 }, "u");
    store.useTopic({ connector: a, task: 0 }, "t");
  }
  assert.deepEqual(store.topics(a), []);
  await store.flush();
  store.useTopic({ connector: a, task: 0 }, "u");
  await store.flush();
  assert.deepEqual(store.topics(a), ["t", "u"]);
  assert.deepEqual(store.connectors(), [a]);
  assert.deepEqual(topics.texts("status"), [
    {
      key: "status-topic-u:connector-a",
      value: '{"topic":{"name":"u","connector":"a","task":1,"discoverTimestamp":1000000}}',
    },
    {
      key: "status-topic-t:connector-a",
      value: '{"topic":{"name":"t","connector":"a","task":0,"discoverTimestamp":1000000}}',
    },
  ]);
  const again = await openStatuses(topics);
  assert.deepEqual(again.topics(a), ["t", "u"]);
  again.useTopic({ connector: a, task: 0 }, "t");
  await again.flush();
  assert.equal(topics.records("status").length, 2);
});

test("forgotten topics are gone until they are used again, also those on their way", async () => {
  const topics = new MemoryTopics();
  const store = await openStatuses(topics);
  const id = { connector: a, task: 0 };
  store.useTopic(id, "t");
  await store.flush();
  store.useTopic(id, "u");
  store.forgetTopics(a);
  store.forgetTopics(a);
  await store.flush();
  assert.deepEqual(store.topics(a), []);
  assert.deepEqual(store.connectors(), []);
  store.useTopic(id, "t");
  await store.flush();
  assert.deepEqual(store.topics(a), ["t"]);
  const ofT = topicWords(topics).filter(([key]) => key === "status-topic-t:connector-a");
  assert.deepEqual(
    ofT.map(([, word]) => word),
    ["used", null, "used"],
  );
});

test("the topics of a connector go with its status", async () => {
  const topics = new MemoryTopics();
  const store = await openStatuses(topics);
  const b = connectorName("b");
  store.putConnector(a, status());
  store.useTopic({ connector: a, task: 0 }, "t");
  store.useTopic({ connector: b, task: 0 }, "t");
  await store.flush();
  store.removeConnector(a);
  await store.flush();
  assert.deepEqual(store.topics(a), []);
  assert.deepEqual(store.topics(b), ["t"]);
  assert.deepEqual(store.connectors(), [b]);
});

test("a topic in use that cannot be written is not tried again with every batch", async () => {
  const topics = new MemoryTopics();
  const clock = new FakeClock();
  const store = await openStatuses(topics, clock);
  const id = { connector: a, task: 0 };
  topics.failure = new TaskError("embedded.disk_full", "no room");
  store.useTopic(id, "t");
  await store.flush();
  await waitFor(() => clock.sleepsMs.length === 1, { withinMs: 20_000 });
  topics.failure = undefined;
  store.useTopic(id, "t");
  await store.flush();
  assert.deepEqual(store.topics(a), []);
  clock.pass(10_000);
  await waitFor(() => store.topics(a).length === 1, { withinMs: 20_000 });
  await store.close();
});

test("what cannot be read of a topic in use is passed over", async () => {
  const topics = new MemoryTopics();
  await put(topics, "status", "status-topic-t:connector-a", "{}");
  await put(topics, "status", "status-topic-u:connector-a", '{"topic":{"name":"u"}}');
  const store = await openStatuses(topics);
  assert.deepEqual(store.topics(a), []);
});

test("task configs are committed only as a whole set", async () => {
  const topics = new MemoryTopics();
  const store = await openConfigStore({
    openLog: topics.open,
    topic: "configs",
    logger,
    onChange: () => {},
  });
  await put(topics, "configs", "what-is-this", "{}");
  await store.putConnector(a, { topic: "t" }, "PAUSED");
  await put(topics, "configs", "task-a-5", '{"properties":{}}');
  await store.putTaskConfigs(a, [{ part: "0" }, { part: "1" }]);
  assert.deepEqual(store.state.connectors.get(a)?.taskConfigs, [{ part: "0" }, { part: "1" }]);
  await store.removeConnector(a);
  assert.deepEqual(
    topics.texts("configs").map(({ key }) => key),
    [
      "what-is-this",
      "target-state-a",
      "connector-a",
      "task-a-5",
      "task-a-0",
      "task-a-1",
      "commit-a",
      "connector-a",
      "target-state-a",
    ],
  );
  await store.close();
});
