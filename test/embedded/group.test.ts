/** Consumer groups of the embedded log. */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { openEmbedded } from "../../src/embedded/embedded.ts";
import type { Kafka } from "../../src/kafka/kafka.ts";
import { fill, openLog, temporaryFolder } from "../harness/embedded-log.ts";
import { waitFor } from "../harness/wait-for.ts";
import { WatchedMember, type WatchedOptions } from "../harness/watched-member.ts";

/** Of the group g; reads t. */
function member(kafka: Kafka, options: Partial<WatchedOptions> = {}): WatchedMember {
  const named = { groupId: "g", topics: ["t"], ...options };
  return new WatchedMember((of) => kafka.sinkConsumer(of), named);
}

async function twoPartitions(t: TestContext, options = {}): Promise<Kafka> {
  const kafka = await openLog(t, { defaultPartitionCount: 2, ...options });
  await kafka.admin.createTopic({
    name: "t",
    partitionCount: 2,
    replicationFactor: 1,
    config: {},
  });
  return kafka;
}

test("a member that does not poll is thrown out, learns that it lost, and comes back", async (t) => {
  const kafka = await twoPartitions(t, { rebalanceTimeoutMs: 50 });
  const slow = member(kafka);
  await slow.poll();
  const other = member(kafka);
  await waitFor(
    async () => {
      await other.poll();
      return other.held.length === 2;
    },
    { withinMs: 20_000, what: "the slow member to be thrown out" },
  );
  const stale = [{ topic: "t", partition: 0, offset: 1 }];
  await assert.rejects(slow.consumer.commit(stale), {
    name: "FencedError",
    code: "kafka.member_fenced",
    message: /cannot commit .* for group g/,
  });
  await waitFor(
    async () => {
      await slow.poll();
      await other.poll();
      return slow.held.length === 1 && other.held.length === 1;
    },
    { withinMs: 20_000, what: "both to hold one partition" },
  );
  assert.deepEqual(slow.events.slice(0, 2), ["assigned t0@0,t1@0", "lost t0,t1"]);
  assert.deepEqual([...slow.held, ...other.held].sort(), ["t0", "t1"]);
});

test("a pattern takes in topics as they come, but never the log's own", async (t) => {
  const kafka = await openLog(t);
  const a = member(kafka, { topics: () => true });
  await a.poll();
  assert.deepEqual(a.events, []);
  const polled = a.poll(60_000);
  await fill(kafka, "new", ["x"]);
  await polled;
  assert.deepEqual(a.values, ["x"]);
  await a.consumer.commit([{ topic: "new", partition: 0, offset: 1 }]);
  assert.deepEqual(await kafka.admin.listTopics(), ["__consumer_offsets", "new"]);
  await fill(kafka, "other", ["y"]);
  while (a.values.length < 2) await a.poll(5_000);
  assert.deepEqual(a.events, ["assigned new0@0", "revoked new0", "assigned new0@1,other0@0"]);
  await kafka.admin.deleteTopic("new");
  await a.poll();
  assert.deepEqual(a.held, ["other0"]);
  assert.deepEqual(await kafka.admin.groupOffsets("g"), []);
});

test("offsets outlive the log's process, can be altered and deleted, but not under members", async (t) => {
  const directory = await temporaryFolder(t);
  const first = await openEmbedded({ directory });
  await fill(first, "t", ["1"]);
  await fill(first, "u", ["1"]);
  const a = member(first, { topics: ["t", "u"] });
  await a.poll();
  for (let offset = 0; offset <= 1; offset++) {
    await a.consumer.commit([
      { topic: "t", partition: 0, offset },
      { topic: "u", partition: 0, offset: 0 },
    ]);
  }
  const busy = { name: "TaskError", code: "kafka.group_not_empty" };
  await assert.rejects(first.admin.alterGroupOffsets("g", []), busy);
  await assert.rejects(first.admin.deleteGroup("g"), busy);
  await first.close();

  const second = await openEmbedded({ directory });
  assert.deepEqual(await second.admin.groupOffsets("g"), [
    { topic: "t", partition: 0, offset: 1 },
    { topic: "u", partition: 0, offset: 0 },
  ]);
  await second.admin.alterGroupOffsets("g", [
    { topic: "t", partition: 0, offset: 9 },
    { topic: "u", partition: 0, offset: null },
  ]);
  await second.close();

  const third = await openLog(t, { directory });
  assert.deepEqual(await third.admin.groupOffsets("g"), [{ topic: "t", partition: 0, offset: 9 }]);
  await third.admin.deleteGroup("g");
  assert.deepEqual(await third.admin.groupOffsets("g"), []);
});
