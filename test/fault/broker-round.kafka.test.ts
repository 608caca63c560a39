/** Short rounds of broker faults; `npm run chaos` has long ones. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { startHost, temporaryDirectory } from "../harness/host-process.ts";
import { type Cluster, startCluster } from "../harness/kafka/cluster.ts";
import { openGroupRoom } from "../harness/kafka/group-room.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { type BrokerRoundOptions, brokerRound, roundClusterOptions } from "./broker-round.ts";
import { flowWorker, NumberedFlow } from "./numbered-flow.ts";

const { missing } = await kafkaJars();

const rounds: readonly Omit<BrokerRoundOptions, "cluster">[] = [
  { producer: "idempotent", seed: 1, faults: ["leader killed", "answers lost", "leader frozen"] },
  { producer: "connect", seed: 2, faults: ["coordinator killed", "connections cut"] },
  { producer: "idempotent", seed: 3, faults: 3 },
];

describe("over three brokers", { skip: missing ?? false }, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster(3, roundClusterOptions);
  });
  after(() => cluster?.stop());

  test("a whole host goes on while the lead moves under what it writes and reads", async (t) => {
    const directory = await temporaryDirectory(t);
    const [first, second] = cluster.nodes;
    const room = await openGroupRoom(first!.direct);
    t.after(() => room.close());
    const worker = {
      ...flowWorker,
      "bootstrap.servers": cluster.bootstrap,
      "offset.storage.file.filename": join(directory, "offsets"),
    };
    const host = await startHost({ directory, worker });
    t.after(() => host.kill());
    const flow = new NumberedFlow(host, room.admin, directory);
    await flow.start();
    for (const { topic, partition } of flow.partitions) {
      const leader = await cluster.leaderOf(topic, partition);
      await cluster.moveLeader(topic, partition, leader === first ? second! : first!);
    }
    await flow.flows(2_000);
    assert.deepEqual(await flow.states(), ["RUNNING", "RUNNING", "RUNNING"]);
    assert.equal(await flow.countsAgree(), 0);
    assert.equal(flow.repeated, 0, "no task had to begin again");
    assert.equal(await host.stop(), 0);
  });

  for (const round of rounds) {
    test(`a producer and a member of a group lose nothing that was acknowledged (${round.producer}, seed ${round.seed})`, async () => {
      await brokerRound({ ...round, cluster });
    });
  }
});
