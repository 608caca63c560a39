import { overCluster } from "../harness/kafka/over-cluster.ts";
import { testCondemned } from "./condemned.ts";

overCluster(testCondemned);
