/** `bulkhead preview` as a process of its own. */
import { spawn } from "node:child_process";
import { program } from "./host-process.ts";

export const stringConverter = "org.apache.kafka.connect.storage.StringConverter";
const endMsMax = 120_000;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command. `until`: when stdout matches, `act` is called once; by default a SIGINT comes. */
export function preview(
  args: readonly string[],
  until?: RegExp,
  act: (pid: number) => void = (pid) => process.kill(pid, "SIGINT"),
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, "preview", ...args], {
      timeout: endMsMax,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [stdout, stderr] = ["", ""];
    let isAsked = false;
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
      // A second signal would end it at once.
      if (isAsked || !until?.test(stdout)) return;
      isAsked = true;
      act(child.pid as number);
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      stderr += text;
    });
    child.on("error", reject).on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** Of a worker that nobody starts. */
export function workerText(servers: string, plugins: string): string {
  return [
    `bootstrap.servers=${servers}`,
    `plugin.path=${plugins}`,
    `key.converter=${stringConverter}`,
    "value.converter=org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable=false",
  ].join("\n");
}

/** Of `--json`. */
export const jsonOf = ({ stdout }: Ended) =>
  stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
