/** The program as a user runs it, and a look at what it left behind. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { program, repository } from "../harness/host-process.ts";
import { waitFor } from "../harness/wait-for.ts";

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Its temporary files go below it, so that what it leaves can be seen. */
  readonly directory: string;
  readonly withinMs?: number;
}

/** Runs a command that is expected to end by itself. */
export async function bulkhead(args: readonly string[], options: RunOptions): Promise<Ended> {
  const env = { ...process.env, ...(await ownEnvironment(options.directory)) };
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env,
    // I5: a start that should have failed and runs must not hold up the tests.
    timeout: options.withinMs ?? 20_000,
    killSignal: "SIGKILL",
  });
  const status = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { status: await status, stdout, stderr };
}

/** Temporary files of a host and of its plugins go below the folder. */
export async function ownEnvironment(directory: string): Promise<Record<string, string>> {
  const temporary = join(directory, "tmp");
  await mkdir(temporary, { recursive: true });
  return { TMPDIR: temporary };
}

/** Writes a worker file that works but for what is changed; a null takes a key away. */
export async function writeWorker(
  directory: string,
  changes: Readonly<Record<string, string | null>> = {},
): Promise<string> {
  const settings: Record<string, string | null> = {
    "bootstrap.servers": `embedded:${join(directory, "log")}`,
    "plugin.path": join(repository, "plugins"),
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.storage.StringConverter",
    listeners: "http://127.0.0.1:0",
    ...changes,
  };
  const lines = Object.entries(settings).flatMap(([key, value]) =>
    value === null ? [] : [`${key}=${value}\n`],
  );
  const path = join(directory, "worker.properties");
  await writeFile(path, lines.join(""));
  return path;
}

/** No process, no socket folder and no lock: a failed start undoes what it did. */
export async function assertNothingLeft(directory: string): Promise<void> {
  const temporary = join(directory, "tmp");
  await waitFor(() => processesWith(`TMPDIR=${temporary}`).length === 0, {
    withinMs: 20_000,
    what: "every process to end",
  });
  assert.deepEqual(readdirSync(temporary), [], "temporary files are left");
  assert.equal(existsSync(join(directory, "log", "lock")), false, "the lock is left");
}

/** The pids whose environment has the setting. None where the system has no /proc. */
export function processesWith(setting: string): number[] {
  if (!existsSync("/proc/self/environ")) return [];
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(setting);
      } catch {
        return false;
      }
    });
}
