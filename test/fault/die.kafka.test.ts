import { overCluster } from "../harness/kafka/over-cluster.ts";
import { testDeaths } from "./deaths.ts";

overCluster((place) => testDeaths(place, "of the log"));
