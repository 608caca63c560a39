/** What processes use, as Linux tells in /proc. Elsewhere nothing is known. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setImmediate as breathe } from "node:timers/promises";

/** Memory and CPU of one process, without its children. */
export interface ProcessUsage {
  /** Resident, shared pages included. */
  readonly rssBytes: number;
  /** User and system time since its start. */
  readonly cpuMs: number;
}

/** Where a process stands among the others. */
export interface ProcessPlace {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
}

/** Ticks of /proc a second: fixed for programs on every platform that Node runs on. */
const ticksPerSecond = 100;
/** Processes that are looked at before others have a turn. */
const readsAtOnce = 50;

export function hasProc(): boolean {
  return existsSync("/proc/self/stat");
}

/** Undefined when the process is gone, or there is no /proc. Takes some 50 µs. */
export function readUsage(pid: number): ProcessUsage | undefined {
  const stat = readProc(pid, "stat");
  const status = readProc(pid, "status");
  if (stat === undefined || status === undefined) return undefined;
  return { rssBytes: parseRss(status), cpuMs: parseCpuMs(stat) };
}

/**
 * The resident memory of each of these processes together with all below it: children of children, and
 * whoever is in its process group or session. Pages that several of them share count for each. A
 * process that is gone uses nothing.
 */
export async function readTreeRss(pids: readonly number[]): Promise<Map<number, number>> {
  const places: ProcessPlace[] = [];
  let read = 0;
  for (const name of procNames()) {
    const stat = readProc(name, "stat");
    const place = stat === undefined ? undefined : parsePlace(stat);
    if (place !== undefined) places.push(place);
    read += 1;
    if (read % readsAtOnce === 0) await breathe();
  }
  return new Map(
    pids.map((pid) => {
      const statuses = membersOf(pid, places).map((member) => readProc(member, "status") ?? "");
      return [pid, statuses.reduce((sum, status) => sum + parseRss(status), 0)];
    }),
  );
}

/** A process with all below it, each once. */
export function membersOf(pid: number, places: readonly ProcessPlace[]): number[] {
  const children = new Map<number, number[]>();
  const members = new Set<number>();
  for (const { pid: child, parent, group, session } of places) {
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [child]);
    else siblings.push(child);
    if (child === pid || group === pid || session === pid) members.add(child);
  }
  // A set walks also what is added while it is walked.
  for (const member of members) for (const child of children.get(member) ?? []) members.add(child);
  return [...members];
}

/** `/proc/<pid>/stat`; undefined when it has another shape. */
export function parsePlace(stat: string): ProcessPlace | undefined {
  const pid = Number.parseInt(stat, 10);
  const [, parent, group, session] = afterName(stat).map(Number);
  if (Number.isNaN(pid) || session === undefined) return undefined;
  return { pid, parent: parent ?? 0, group: group ?? 0, session };
}

/** User and system time in `/proc/<pid>/stat`. */
export function parseCpuMs(stat: string): number {
  const fields = afterName(stat);
  const ticks = Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  return (ticks * 1_000) / ticksPerSecond;
}

/** `VmRSS` of `/proc/<pid>/status`; a zombie has none. */
export function parseRss(status: string): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024;
}

/** The fields from the state on: the name before it stands in brackets and may hold any character. */
function afterName(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function procNames(): string[] {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** These two files never make the reader wait, as the environment of a process may. */
function readProc(pid: number | string, name: "stat" | "status"): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "latin1");
  } catch {
    return undefined;
  }
}
