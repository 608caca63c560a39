import { type ChildProcess, spawn } from "node:child_process";
import type { Writable } from "node:stream";
import type { Changes } from "./changes.ts";
import { membersOfGroup } from "./process-facts.ts";

/** How the plugin's program is started. */
export interface ProgramStart {
  readonly command: readonly string[];
  readonly directory: string;
  /** Where stdout and stderr go: captured, or nowhere. */
  readonly output: "captured" | "discarded";
}

/** How a process ended. */
export interface ProgramExit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly atMs: number;
}

// I5: what is kept of each output stream; the beginning and the end say most.
const outputCharsMax = 2 * 1024 * 1024;

/** What a plugin finds in its environment, and nothing else (proto/README.md, section 2). */
const environmentNames = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/** The plugin under test as an operating-system process, in a process group of its own. */
export class PluginProgram {
  readonly startedAtMs = performance.now();
  exit: ProgramExit | undefined;
  /** Why it could not be started. */
  failed: string | undefined;
  stdout = "";
  stderr = "";
  readonly #child: ChildProcess;
  readonly #stdin: Writable | null;

  constructor(start: ProgramStart, launchLine: string, changes: Changes) {
    const [name = "", ...args] = start.command;
    const kept = environmentNames.flatMap((key) => {
      const value = process.env[key];
      return value === undefined ? [] : [[key, value]];
    });
    const out = start.output === "captured" ? "pipe" : "ignore";
    this.#child = spawn(name === "node" ? process.execPath : name, args, {
      cwd: start.directory,
      env: Object.fromEntries(kept),
      detached: true,
      stdio: ["pipe", out, out],
    });
    this.#stdin = this.#child.stdin;
    this.#stdin?.on("error", () => {});
    this.#stdin?.write(`${launchLine}\n`);
    const keep = (of: "stdout" | "stderr") => (chunk: string) => {
      if (this[of].length < outputCharsMax) this[of] += chunk;
      changes.notify();
    };
    this.#child.stdout?.setEncoding("utf8").on("data", keep("stdout"));
    this.#child.stderr?.setEncoding("utf8").on("data", keep("stderr"));
    this.#child.on("error", (error) => {
      this.failed = error.message;
      this.exit ??= { code: null, signal: null, atMs: performance.now() };
      changes.notify();
    });
    this.#child.on("exit", (code, signal) => {
      this.exit = { code, signal, atMs: performance.now() };
      changes.notify();
    });
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Its own processes that live, by process group. */
  get living(): number[] {
    return this.#child.pid === undefined ? [] : membersOfGroup(this.#child.pid);
  }

  endStdin(): void {
    this.#stdin?.end();
  }

  /** To the whole group. */
  signal(name: NodeJS.Signals): void {
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, name);
    } catch {
      // It is gone already.
    }
  }

  /** Nothing of it is left afterwards. */
  end(): void {
    this.signal("SIGKILL");
    this.#stdin?.destroy();
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
    this.#child.unref();
  }

  /** How it ended, with the last it said, for a person. */
  get lastWords(): string {
    if (this.failed !== undefined) return `the program could not be started: ${this.failed}`;
    const lines = this.stderr.trim().split("\n").slice(-3).join(" | ").slice(-400);
    const said = lines === "" ? "" : `; it said on stderr: ${lines}`;
    if (this.exit === undefined) return `the process still runs${said}`;
    const { code, signal } = this.exit;
    return `the process ended with ${signal ?? `exit status ${code}`}${said}`;
  }
}
