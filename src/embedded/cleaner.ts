/** Deletes what is too old and compacts, now and then. */
import { errorLine } from "../base/error.ts";
import { compact } from "./compaction.ts";
import type { PartitionLog } from "./partition-log.ts";
import { countExpired } from "./retention.ts";
import type { Surroundings } from "./setting.ts";
import type { TopicCatalog } from "./topic-catalog.ts";

/** What the cleaner works on. */
export type CleanerParts = Surroundings & { readonly catalog: TopicCatalog };

/** Cleans at once and then at every interval, until the signal fires. */
export async function runCleaner(parts: CleanerParts, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await cleanAll(parts, signal);
    await parts.clock.sleep(parts.settings.cleanIntervalMs, signal);
  }
}

/** One round over all partitions. A partition that cannot be cleaned is named and left as it is. */
async function cleanAll(parts: CleanerParts, signal: AbortSignal): Promise<void> {
  for (const topic of parts.catalog.all) {
    for (const log of topic.partitions) {
      if (signal.aborted) return;
      try {
        await clean(log, parts.clock.nowMs());
      } catch (error) {
        const line = `cannot clean ${log.topic}-${log.partition}: ${errorLine(error)}`;
        parts.logger.warn({ topic: log.topic, partition: log.partition }, line);
      }
    }
  }
}

async function clean(log: PartitionLog, nowMs: number): Promise<void> {
  if (!log.isOpen) return;
  const { config, sizeBytes: totalBytes } = log;
  if (config.deleting) {
    await log.dropOldest(countExpired(log.closedSegments, { totalBytes, nowMs, config }));
  }
  if (config.compacted) await compact(log, nowMs);
}
