/** Which closed segments are too old or too many. */
import type { TopicConfig } from "./topic-config.ts";

/** How many of the closed segments, oldest first, have to go. Pure. */
export function countExpired(
  closed: readonly { sizeBytes: number; lastWriteMs: number }[],
  options: { totalBytes: number; nowMs: number; config: TopicConfig },
): number {
  const { retentionMs, retentionBytes } = options.config;
  let bytes = options.totalBytes;
  let count = 0;
  for (const segment of closed) {
    const isOld = retentionMs >= 0 && segment.lastWriteMs < options.nowMs - retentionMs;
    const isTooMuch = retentionBytes >= 0 && bytes - segment.sizeBytes >= retentionBytes;
    if (!isOld && !isTooMuch) break;
    bytes -= segment.sizeBytes;
    count += 1;
  }
  return count;
}
