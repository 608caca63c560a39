/** What the parts of the embedded log need to know about it. */
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../observe/logger.ts";
import type { Syncer } from "./syncer.ts";

/** The settings of one embedded log, defaults filled in. */
export interface Settings {
  readonly directory: string;
  readonly defaultPartitionCount: number;
  readonly retentionMs: number;
  readonly retentionBytes: number;
  readonly segmentBytes: number;
  readonly cleanIntervalMs: number;
  readonly rebalanceTimeoutMs: number;
}

/** Settings and the things every part shares. */
export interface Surroundings {
  readonly settings: Settings;
  readonly syncer: Syncer;
  readonly logger: Logger;
  readonly clock: Clock;
}
