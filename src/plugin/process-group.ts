/** I6: no plugin outlives its host, also when the host ends by an exception or `process.exit`. */
import { sweepNow } from "./launch-sweep.ts";

/** The launch id of each process group. */
const groups = new Map<number, string>();
let watching = false;

function killAll(): void {
  for (const pid of groups.keys()) {
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // It is gone already.
    }
  }
  sweepNow(new Set(groups.values()));
}

/**
 * Kills the process group of `pid`, and what else the launch left, when this process exits; the answer
 * takes that back.
 */
export function endWithHost(pid: number, launchId: string): () => void {
  groups.set(pid, launchId);
  if (!watching) process.on("exit", killAll);
  watching = true;
  return () => {
    groups.delete(pid);
    if (groups.size > 0) return;
    process.off("exit", killAll);
    watching = false;
  };
}
