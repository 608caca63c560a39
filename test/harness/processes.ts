/** Which processes exist, as `/proc` tells, or `ps` where there is none. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";

const hasProc = existsSync("/proc/self/stat");

/** The pids of every process below this one, children of children included. */
export function descendantsOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const { pid: child, parent } of processes()) {
    children.set(parent, [...(children.get(parent) ?? []), child]);
  }
  const found: number[] = [];
  const queue = [...(children.get(pid) ?? [])];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    found.push(next);
    queue.push(...(children.get(next) ?? []));
  }
  return found;
}

/** Whether a process exists (a zombie does not count). */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const state = hasProc ? (statOf(pid)?.state ?? "") : ps("-o", "stat=", "-p", `${pid}`).trim();
  return state !== "" && !/^[ZX]/.test(state);
}

/** Its words, with blanks between; "" when it is gone. */
export function commandOf(pid: number): string {
  if (!hasProc) return ps("-o", "args=", "-p", `${pid}`);
  return read(`/proc/${pid}/cmdline`).split("\0").join(" ");
}

function processes(): { pid: number; parent: number }[] {
  if (hasProc) {
    return readdirSync("/proc").flatMap((name) => {
      const stat = /^\d+$/.test(name) ? statOf(Number(name)) : undefined;
      return stat === undefined ? [] : [{ pid: Number(name), parent: stat.parent }];
    });
  }
  const lines = ps("-eo", "pid=,ppid=").trim().split("\n");
  return lines.map((line) => {
    const [pid = 0, parent = 0] = line.trim().split(/\s+/).map(Number);
    return { pid, parent };
  });
}

/** Undefined when it is gone. The name before these may hold anything, also brackets. */
function statOf(pid: number): { state: string; parent: number } | undefined {
  const text = read(`/proc/${pid}/stat`);
  const [state, parent] = text.slice(text.lastIndexOf(")") + 2).split(" ");
  if (state === undefined || parent === undefined) return undefined;
  return { state, parent: Number(parent) };
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function ps(...args: string[]): string {
  try {
    return execFileSync("ps", args, { encoding: "utf8" });
  } catch {
    // It says so with its exit status when there is none.
    return "";
  }
}
