/** What must survive: with poison among the records and anybody killed, each is in the sink or a dead letter. */
import { describe, test } from "node:test";
import { openKafka } from "../../src/kafka/open-kafka.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { temporaryDirectory } from "../harness/host-process.ts";
import { sharedKafka } from "../harness/kafka/broker.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { inCluster } from "../harness/kafka/over-cluster.ts";
import { poisonRounds } from "./poison-round.ts";

const { missing } = await kafkaJars();
const rounds = 3;
const seed = Number(process.env["BULKHEAD_SEED"] ?? Date.now() % 1_000_000);

describe("over a cluster", { skip: missing ?? false }, () => {
  test(`no record is lost among poison while plugin, host or both are killed, ${rounds} rounds`, async (context) => {
    const again = `BULKHEAD_SEED=${seed} node --import tsx --test test/fault/poison.kafka.test.ts`;
    context.diagnostic(`to repeat: ${again}`);
    const directory = await temporaryDirectory(context);
    const { bootstrap: bootstrapServers } = await sharedKafka();
    const logger = silentLogger();
    const kafka = await openKafka({ bootstrapServers, config: {}, clientId: "poison", logger });
    try {
      const result = await poisonRounds({ directory, kafka, place: inCluster(), seed, rounds });
      context.diagnostic(`seed ${seed}: ${result.records} records, ${result.poison} poison`);
    } finally {
      await kafka.close();
    }
  });
});
