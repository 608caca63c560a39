/** The commands of the program as processes of their own. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { program } from "./host-process.ts";

/** How a command ended. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `bulkhead` with one log. */
export class Commands {
  readonly directory: string;
  readonly log: string;

  /** `log`: by default an embedded one in the folder. */
  constructor(directory: string, log = `embedded:${join(directory, "log")}`) {
    this.directory = directory;
    this.log = log;
  }

  start(...args: string[]) {
    return spawn(process.execPath, [program, ...args, "--bootstrap-server", this.log], {
      timeout: 60_000,
      killSignal: "SIGKILL",
      // What it leaves behind can be seen.
      env: { ...process.env, TMPDIR: this.directory },
    });
  }

  async run(args: readonly string[], input = ""): Promise<Ended> {
    const child = this.start(...args);
    const closed = once(child, "close");
    child.stdin.end(input);
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    const [status] = await closed;
    return { status, stdout, stderr };
  }

  /** Its stdout, when it ended well. */
  async print(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(args);
    assert.equal(status, 0, stderr);
    return stdout;
  }
}
