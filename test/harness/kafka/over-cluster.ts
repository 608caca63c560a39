/** Suites over the cluster that a run shares. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { describe } from "node:test";
import type { LogPlace } from "../log-place.ts";
import { sharedKafka } from "./broker.ts";
import { kafkaJars } from "./kafka-jars.ts";

const { missing } = await kafkaJars();

/** Names a suite's cases; they are skipped by name where this machine lacks Kafka. */
export function overCluster(suite: (place: LogPlace) => void): void {
  describe("over a cluster", { skip: missing ?? false }, () => suite(inCluster()));
}

/** A place whose names no other has. */
export function inCluster(): LogPlace {
  const own = randomUUID().slice(0, 8);
  return {
    async worker(directory) {
      const { bootstrap } = await sharedKafka();
      return {
        "bootstrap.servers": bootstrap,
        "offset.storage.file.filename": join(directory, "offsets"),
      };
    },
    // As one word to whoever looks for a name in a text.
    nameOf: (what) => `${what}_${own}`,
  };
}
