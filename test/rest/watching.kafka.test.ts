import { overCluster } from "../harness/kafka/over-cluster.ts";
import { testWatching } from "./watching.ts";

overCluster(testWatching);
