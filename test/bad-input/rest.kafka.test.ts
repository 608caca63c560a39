import { overCluster } from "../harness/kafka/over-cluster.ts";
import { testRefusals } from "./rest.ts";

overCluster(testRefusals);
