/** What a process has used, as Linux counts it in /proc. */
import { readFile } from "node:fs/promises";

/** Linux counts in hundredths of a second, whatever the kernel's own tick is. */
const ticksPerSecond = 100;

/**
 * User and system time of all threads so far, in seconds.
 * @throws Error when there is no such process, or no /proc.
 */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/**
 * What all cores have done since the machine started, in ticks; `stolen` are those in which there was
 * work and the hypervisor let another machine run.
 * @throws Error when there is no /proc
 */
export async function cpuTicks(): Promise<{ all: number; stolen: number }> {
  const [total = ""] = (await readFile("/proc/stat", "utf8")).split("\n", 1);
  // Guest time, from the ninth field on, is within the user's.
  const fields = total.split(/ +/).slice(1, 9).map(Number);
  return { all: fields.reduce((sum, each) => sum + each, 0), stolen: fields[7] ?? 0 };
}

/** Memory of one process in MiB. */
export interface Memory {
  readonly rss: number;
  /** Pages that processes share are divided among them. */
  readonly pss: number;
  /** The most it ever had resident. */
  readonly peak: number;
}

/** @throws Error when there is no such process, or no /proc. */
export async function memoryOf(pid: number): Promise<Memory> {
  const [status, rollup] = await Promise.all([
    readFile(`/proc/${pid}/status`, "utf8"),
    readFile(`/proc/${pid}/smaps_rollup`, "utf8"),
  ]);
  return {
    rss: mib(status, "VmRSS"),
    pss: mib(rollup, "Pss"),
    peak: mib(status, "VmHWM"),
  };
}

function mib(text: string, field: string): number {
  const kib = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1];
  return Number(kib) / 1_024;
}
