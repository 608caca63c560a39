/** I6: no plugin outlives its host, also when the host ends by an exception or `process.exit`. */
const groups = new Set<number>();
let watching = false;

function killAll(): void {
  for (const pid of groups) {
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // It is gone already.
    }
  }
}

/** Kills the process group of `pid` when this process exits; the answer takes that back. */
export function endWithHost(pid: number): () => void {
  groups.add(pid);
  if (!watching) process.on("exit", killAll);
  watching = true;
  return () => {
    groups.delete(pid);
    if (groups.size > 0) return;
    process.off("exit", killAll);
    watching = false;
  };
}
