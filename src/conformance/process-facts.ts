/** What the operating system says of processes; Linux's /proc where there is one, else `ps`. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";

const hasProc = existsSync("/proc/self/stat");

/** The living members of a process group; zombies do not count. */
export function membersOfGroup(group: number): number[] {
  return listProcesses()
    .filter((one) => one.group === group && one.state !== "Z" && one.state !== "X")
    .map(({ pid }) => pid);
}

interface ListedProcess {
  pid: number;
  group: number;
  state: string;
}

function listProcesses(): ListedProcess[] {
  if (hasProc) {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => statOf(name) ?? []);
  }
  const table = execFileSync("ps", ["-eo", "pid=,pgid=,stat="], { encoding: "utf8" });
  return table.split("\n").flatMap((line) => {
    const [pid, group, state = ""] = line.trim().split(/\s+/);
    return pid ? [{ pid: Number(pid), group: Number(group), state: state.slice(0, 1) }] : [];
  });
}

function statOf(pid: string): ListedProcess | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The program's name stands in brackets and may hold anything.
    const [state = "", , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { pid: Number(pid), group: Number(group), state };
  } catch {
    return undefined;
  }
}

/** Memory of the whole group in bytes; undefined where the system does not tell. */
export function groupRssBytes(group: number): number | undefined {
  if (!hasProc) return undefined;
  let kib = 0;
  for (const pid of membersOfGroup(group)) {
    try {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      kib += Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
    } catch {
      // It has just ended.
    }
  }
  return kib * 1_024;
}

/** Open file descriptors of the whole group; undefined where the system does not tell. */
export function groupOpenFiles(group: number): number | undefined {
  if (!hasProc) return undefined;
  let count = 0;
  for (const pid of membersOfGroup(group)) {
    try {
      count += readdirSync(`/proc/${pid}/fd`).length;
    } catch {
      // It has just ended.
    }
  }
  return count;
}
