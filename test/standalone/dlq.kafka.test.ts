import { openKafka } from "../../src/kafka/open-kafka.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { sharedKafka } from "../harness/kafka/broker.ts";
import { overCluster } from "../harness/kafka/over-cluster.ts";
import { testDlq } from "./dlq.ts";

const servers = async () => (await sharedKafka()).bootstrap;

overCluster(({ nameOf }) =>
  testDlq({
    servers,
    nameOf,
    open: async () =>
      openKafka({
        bootstrapServers: await servers(),
        config: {},
        clientId: "dlq-test",
        logger: silentLogger(),
      }),
  }),
);
