import { overCluster } from "../harness/kafka/over-cluster.ts";
import { testSourceStream } from "./source-stream.ts";

overCluster((place) => testSourceStream(place, "of the log"));
