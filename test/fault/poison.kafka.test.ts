/** What must survive: with poison among the records and anybody killed, each is in the sink or a dead letter. */
import { describe, type TestContext, test } from "node:test";
import { openKafka } from "../../src/kafka/open-kafka.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { temporaryDirectory } from "../harness/host-process.ts";
import { sharedKafka } from "../harness/kafka/broker.ts";
import { kafkaJars } from "../harness/kafka/kafka-jars.ts";
import { inCluster } from "../harness/kafka/over-cluster.ts";
import { type PoisonOptions, poisonRounds } from "./poison-round.ts";
import { poisonSourceRounds } from "./poison-source-round.ts";

const { missing } = await kafkaJars();
/** Once for each of plugin, host and both. */
const rounds = 3;
const seed = Number(process.env["BULKHEAD_SEED"] ?? Date.now() % 1_000_000);

describe("over a cluster", { skip: missing ?? false }, () => {
  test(`no record is lost among poison while plugin, host or both are killed, ${rounds} rounds`, async (context) => {
    const { records, poison } = await played(context, poisonRounds);
    context.diagnostic(`seed ${seed}: ${records} records, ${poison} poison`);
  });

  test(`nor is one of a source's, ${rounds} rounds`, async (context) => {
    const { lines, poison, repeated } = await played(context, poisonSourceRounds);
    context.diagnostic(`seed ${seed}: ${lines} lines, ${poison} poison, ${repeated} repeated`);
  });
});

async function played<T>(
  context: TestContext,
  play: (options: PoisonOptions) => Promise<T>,
): Promise<T> {
  const again = `BULKHEAD_SEED=${seed} node --import tsx --test test/fault/poison.kafka.test.ts`;
  context.diagnostic(`to repeat: ${again}`);
  const directory = await temporaryDirectory(context);
  const { bootstrap: bootstrapServers } = await sharedKafka();
  const logger = silentLogger();
  const kafka = await openKafka({ bootstrapServers, config: {}, clientId: "poison", logger });
  try {
    return await play({ directory, kafka, place: inCluster(), seed, rounds });
  } finally {
    await kafka.close();
  }
}
