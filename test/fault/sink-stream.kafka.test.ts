import { overCluster } from "../harness/kafka/over-cluster.ts";
import { testSinkStream } from "./sink-stream.ts";

overCluster((place) => testSinkStream(place, "of the log"));
