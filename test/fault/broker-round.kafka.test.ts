/** Short rounds of broker faults; `npm run chaos` has long ones. */
import { after, before, describe, test } from "node:test";
import { type Cluster, startCluster } from "../harness/kafka/cluster.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { type BrokerRoundOptions, brokerRound, roundClusterOptions } from "./broker-round.ts";

const { missing } = await kafkaJars();

const rounds: readonly Omit<BrokerRoundOptions, "cluster">[] = [
  { producer: "idempotent", seed: 1, faults: ["leader killed", "answers lost", "leader frozen"] },
  { producer: "connect", seed: 2, faults: ["coordinator killed", "connections cut"] },
  { producer: "idempotent", seed: 3, faults: 3 },
];

describe("a producer and a member of a group", { skip: missing ?? false }, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster(3, roundClusterOptions);
  });
  after(() => cluster?.stop());

  for (const round of rounds) {
    test(`lose nothing that was acknowledged (${round.producer}, seed ${round.seed})`, async () => {
      await brokerRound({ ...round, cluster });
    });
  }
});
