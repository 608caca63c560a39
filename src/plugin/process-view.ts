/** Processes and places as screens and metrics want them. */
import type { Place } from "./places.ts";
import type { ProcessView } from "./plugin.ts";
import { fareOf } from "./process-fare.ts";
import type { Resident } from "./resident.ts";

export function residentView(resident: Resident, nowMs: number): ProcessView {
  const { place, plugin, spawned, startedMs, connectors } = resident;
  return {
    plugin: plugin.name,
    version: plugin.version,
    pid: spawned?.pid ?? null,
    use: place.use,
    at: spawned?.at ?? "starting",
    connectors,
    upMs: nowMs - startedMs,
    ...fareOf(spawned, nowMs, spawned?.isOurs),
    restarts: restartsOf(place),
    lastExit: place.lastExit,
  };
}

/** Where nobody lives now. */
export function emptyPlaceView(place: Place): ProcessView {
  return {
    plugin: place.plugin.name,
    version: place.plugin.version,
    pid: null,
    use: place.use,
    at: "ended",
    connectors: place.connectors,
    upMs: null,
    ...fareOf(undefined, 0),
    restarts: restartsOf(place),
    lastExit: place.lastExit,
  };
}

function restartsOf({ starts }: Place): number {
  return Math.max(0, starts - 1);
}
