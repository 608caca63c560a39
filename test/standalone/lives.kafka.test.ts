import { overCluster } from "../harness/kafka/over-cluster.ts";
import { testLives } from "./lives.ts";

overCluster(testLives);
