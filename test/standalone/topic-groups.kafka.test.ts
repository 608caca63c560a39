import { openKafka } from "../../src/kafka/open-kafka.ts";
import { silentLogger } from "../../src/observe/logger.ts";
import { sharedKafka } from "../harness/kafka/broker.ts";
import { overCluster } from "../harness/kafka/over-cluster.ts";
import { testTopicGroups } from "./topic-groups.ts";

overCluster((place) =>
  testTopicGroups(place, async () => {
    const { bootstrap: bootstrapServers } = await sharedKafka();
    const logger = silentLogger();
    return openKafka({ bootstrapServers, config: {}, clientId: "topic-groups", logger });
  }),
);
