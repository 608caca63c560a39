/** How a plugin process fares, for whoever shows it. */
import { tasksLater } from "./heartbeat.ts";
import type { Liveness } from "./liveness.ts";
import type { ProcessView } from "./plugin.ts";
import { readUsage } from "./process-usage.ts";
import type { Session } from "./session.ts";

export type Fare = Pick<
  ProcessView,
  "rssBytes" | "cpuMs" | "sinceHeartbeatMs" | "stalled" | "tasks"
>;

/** What there is to know of one; see PluginChild. */
export interface Faring {
  readonly pid: number;
  readonly liveness: Pick<Liveness, "silentMs" | "stalled"> | undefined;
  /** Also there when it is condemned. */
  readonly stopSession: Pick<Session, "lastHeartbeat"> | undefined;
}

/**
 * Memory and CPU are those of the process itself: of this machine's /proc where `isLocal`, else as the
 * plugin counts. Null is what nobody knows. Reads /proc at once: some 50 µs.
 */
export function fareOf(process: Faring | undefined, nowMs: number, isLocal = true): Fare {
  const heartbeat = process?.stopSession?.lastHeartbeat;
  const usage = (isLocal && process ? readUsage(process.pid) : undefined) ?? heartbeat;
  const silentMs = process?.liveness?.silentMs(nowMs);
  return {
    rssBytes: usage?.rssBytes ?? null,
    cpuMs: usage?.cpuMs ?? null,
    sinceHeartbeatMs: silentMs === undefined ? null : Math.round(silentMs),
    stalled: process?.liveness?.stalled ?? false,
    tasks: tasksLater(heartbeat?.tasks ?? [], Math.round(silentMs ?? 0)),
  };
}
