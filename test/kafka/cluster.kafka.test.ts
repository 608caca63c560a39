/** The harness's cluster of three: leaders and coordinators move, and a node comes back as who it was. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { uniqueName } from "../harness/kafka/broker.ts";
import { type Cluster, startCluster } from "../harness/kafka/cluster.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { waitFor } from "../harness/wait-for.ts";

const { missing } = await kafkaJars();

describe("a cluster of three", { skip: missing ?? false }, () => {
  let cluster: Cluster;
  const topic = uniqueName("replicated");
  before(async () => {
    cluster = await startCluster(3, { config: { "min.insync.replicas": "2" } });
    await cluster.createTopic(topic);
  });
  after(() => cluster?.stop());

  test("keeps three copies and gives the lead to another node when asked", async () => {
    const [partition] = await cluster.partitions(topic);
    assert.deepEqual([...partition!.replicas].sort(), [1, 2, 3]);
    const before = await cluster.leaderOf(topic);
    const next = cluster.nodes.find((node) => node !== before)!;
    await cluster.moveLeader(topic, 0, next);
    assert.equal(await cluster.leaderOf(topic), next);
  });

  test("finds another leader and coordinator when a node is killed, and takes it back", async () => {
    const group = uniqueName("group");
    // The first question makes the topic of groups.
    const known = async () => (await cluster.coordinatorOf(group)) !== undefined;
    await waitFor(known, { withinMs: 30_000, what: "a coordinator" });
    const coordinator = (await cluster.coordinatorOf(group))!;
    const leader = (await cluster.leaderOf(topic))!;
    await coordinator.kill();
    await waitFor(
      async () => ![undefined, coordinator].includes(await cluster.coordinatorOf(group)),
      { withinMs: 30_000, what: "another coordinator" },
    );
    if (leader === coordinator) await cluster.newLeaderOf(topic, leader);
    await coordinator.start();
    await waitFor(async () => (await cluster.partitions(topic))[0]?.inSync.length === 3, {
      withinMs: 30_000,
      what: "all replicas in sync again",
    });
  });

  test("finds another leader when a node is frozen or shut down", async () => {
    const leader = (await cluster.leaderOf(topic))!;
    await leader.freeze();
    const next = await cluster.newLeaderOf(topic, leader);
    leader.thaw();
    await cluster.isWhole();
    await waitFor(async () => (await cluster.partitions(topic))[0]?.inSync.length === 3, {
      withinMs: 30_000,
      what: "all replicas in sync again",
    });
    await next.shutDown();
    await cluster.newLeaderOf(topic, next);
    await cluster.isWhole(2);
  });
});
