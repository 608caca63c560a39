/** A Java process that does not outlive the test process which started it, however that one ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import type { Socket } from "node:net";

/** Waits for the end of its stdin, which comes with the end of the owner, and cleans up after it. */
const watchdog = 'read -r _; kill -9 "$1"; sleep 0.1; [ -z "$2" ] || rm -rf "$2"';

/** How a JVM is started. */
export interface JvmOptions {
  /** Receives what the process prints, after what is there. */
  logFile: string;
  /** Removed when the owner is gone without having stopped the process. */
  folder: string;
  /** No file it writes grows beyond; without, as large as they like. */
  fileBytesMax?: number | undefined;
}

/** `ulimit -f` counts in blocks of 512 bytes. */
const limited = 'ulimit -f "$0" && exec java "$@"';
const blockBytes = 512;

/** Starts it; it keeps the owner's event loop alive no longer than the owner wants. */
export function startJvm(args: readonly string[], options: JvmOptions): ChildProcess {
  const { logFile, folder, fileBytesMax } = options;
  const command = ["java", ...args];
  if (fileBytesMax !== undefined) {
    const blocks = String(Math.floor(fileBytesMax / blockBytes));
    command.splice(0, 1, "sh", "-c", limited, blocks);
  }
  const log = openSync(logFile, "a");
  try {
    const [program = "java", ...rest] = command;
    const child = spawn(program, rest, { stdio: ["ignore", log, log], detached: true });
    child.unref();
    guard(child, folder);
    return child;
  } finally {
    closeSync(log);
  }
}

/** Ends the process when this one is gone; `folder`, if any, goes with it. */
export function guard(child: ChildProcess, folder = ""): void {
  if (child.pid === undefined) return;
  const guardian = spawn("sh", ["-c", watchdog, "sh", String(child.pid), folder], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  guardian.unref();
  (guardian.stdin as Socket).unref();
  child.once("exit", () => guardian.kill("SIGKILL"));
}
