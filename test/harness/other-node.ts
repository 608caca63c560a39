/** Other versions of Node, from the npm registry, and unit tests under them. */
import { execFile, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
const runFile = promisify(execFile);
const fetchMsMax = 120_000;
const runMsMax = 240_000;
/** What was compiled once need not be again: a sixth of the time. */
const env = { ...process.env, NODE_COMPILE_CACHE: join(root, ".tools", "compile-cache") };

export interface OtherNode {
  program: string;
  /** What this machine lacks to have it; then `program` is empty. */
  missing: string | undefined;
}

/** The newest of a major version that the registry had when it was first asked for. */
export async function otherNode(major: number): Promise<OtherNode> {
  const stamp = join(root, ".tools", `node-${major}`);
  const known = await runsAs(major, readIfThere(stamp));
  if (known !== undefined) return { program: known, missing: undefined };
  const args = ["--yes", "--package", `node@${major}`, "node", "-p", "process.execPath"];
  try {
    const { stdout } = await runFile("npx", args, { cwd: root, timeout: fetchMsMax });
    const program = await runsAs(major, stdout.trim());
    if (program === undefined) throw new Error(`npx gave another Node: ${stdout}`);
    mkdirSync(join(root, ".tools"), { recursive: true });
    writeFileSync(stamp, program);
    return { program, missing: undefined };
  } catch {
    return { program: "", missing: `needs node@${major} from the npm registry` };
  }
}

async function runsAs(major: number, program: string): Promise<string | undefined> {
  if (program === "") return undefined;
  const answer = await runFile(program, ["--version"]).catch(() => undefined);
  return answer?.stdout.startsWith(`v${major}.`) === true ? program : undefined;
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "";
  }
}

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  /** The failures in full. */
  output: string;
}

/** Runs test files in one process; this Node takes the types away by itself. */
export function runTests(program: string, files: readonly string[]): Promise<Counts> {
  // The name that both Node 22 and 24 know.
  const args = ["--test", "--experimental-test-isolation=none", "--test-reporter=spec", ...files];
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
    const timer = setTimeout(() => child.kill("SIGKILL"), runMsMax);
    let said = "";
    const keep = (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-400_000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", (error) => keep(Buffer.from(`cannot run ${program}: ${error.message}`)));
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      const count = (name: string) =>
        Number(new RegExp(`^ℹ ${name} (\\d+)$`, "m").exec(said)?.[1] ?? 0);
      const failed = count("fail") + count("cancelled");
      const counts = { passed: count("pass"), skipped: count("skipped") };
      if (status === 0 && failed === 0) return resolve({ ...counts, failed, output: "" });
      const [, failures = said] = said.split("✖ failing tests:");
      const end = `${program} ended with ${signal ?? `exit status ${status}`}`;
      resolve({
        ...counts,
        failed: Math.max(1, failed),
        output: `${failures.slice(-100_000)}\n${end}`,
      });
    });
  });
}
