/**
 * Where the hosts of a suite have their log. A suite that takes a place is run over both forms of the
 * log: `x.test.ts` over a folder, `x.kafka.test.ts` over a cluster (`kafka/over-cluster.ts`).
 */
import { join } from "node:path";

export interface LogPlace {
  /** Keys of the worker file of a host that has its files in `directory`. */
  worker(directory: string): Promise<Readonly<Record<string, string>>>;
  /**
   * What a suite calls a topic or a sink, which is the name of a group: the same name for the same word, and
   * one that nobody else has where the log is shared. A suite with several hosts uses different words.
   */
  nameOf(what: string): string;
}

/** A log of each host's own. */
export const inFolder: LogPlace = {
  worker: async (directory) => ({ "bootstrap.servers": `embedded:${join(directory, "log")}` }),
  nameOf: (what) => what,
};
