import { launchVariable } from "./launch-sweep.ts";

/** All that a plugin gets of the host's environment. */
const environmentAllowed = ["PATH", "LANG", "LC_ALL", "TZ", "HOME", "TMPDIR"];

/**
 * Loads what starts a process, about a hundred modules: nothing for the host's start to wait for.
 * Whoever has started calls it, so that the first launch need not wait either.
 */
export async function loadLauncher() {
  const { execa } = await import("execa");
  /** execa reads nothing and kills nothing by itself: output and ends are its caller's. */
  return (program: string, args: readonly string[], cwd: string, launchId: string) =>
    execa(program, args, {
      cwd,
      env: { ...environment(), [launchVariable]: launchId },
      extendEnv: false,
      detached: true,
      cleanup: false,
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
      buffer: false,
      reject: false,
    });
}

/** A process as the launcher started it. */
export type Spawned = ReturnType<Awaited<ReturnType<typeof loadLauncher>>>;

function environment(): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of environmentAllowed) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}
