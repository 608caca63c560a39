/** I7 over a real cluster: what was read is written, whoever is killed. */
import { describe, test } from "node:test";
import { temporaryDirectory } from "../harness/host-process.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { inCluster } from "../harness/kafka/over-cluster.ts";
import { killRound, type Victim } from "./kill-round.ts";

const { missing } = await kafkaJars();
const rounds = 3;
const seed = Number(process.env["BULKHEAD_SEED"] ?? Date.now() % 1_000_000);
const victims: Victim[] = ["source plugin", "sink plugin", "host"];

describe("over a cluster", { skip: missing ?? false }, () => {
  for (const victim of victims) {
    // One kill a round: a killed host's place in the group is free only when its session is over.
    test(`no line is lost while the ${victim} is killed, ${rounds} rounds`, async (context) => {
      const directory = await temporaryDirectory(context);
      const again = `BULKHEAD_SEED=${seed} node --import tsx --test test/fault/kill.kafka.test.ts`;
      context.diagnostic(`to repeat: ${again}`);
      const { lines, repeated } = await killRound({
        ...{ directory, victim, seed, kills: 1, rounds },
        place: inCluster(),
      });
      context.diagnostic(`seed ${seed}: ${lines} lines, ${repeated} repeated`);
    });
  }
});
