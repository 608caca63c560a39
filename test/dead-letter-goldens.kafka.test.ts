import { openKafka } from "../src/kafka/open-kafka.ts";
import { silentLogger } from "../src/observe/logger.ts";
import { testErrorGoldens } from "./error-goldens.ts";
import { sharedKafka } from "./harness/kafka/broker.ts";
import { overCluster } from "./harness/kafka/over-cluster.ts";

overCluster((place) =>
  testErrorGoldens(place, async () => {
    const { bootstrap: bootstrapServers } = await sharedKafka();
    const logger = silentLogger();
    return openKafka({ bootstrapServers, config: {}, clientId: "error-goldens", logger });
  }),
);
