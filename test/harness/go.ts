/** The Go toolchain of this machine, and programs of the Go SDK built with it. */
import { execFile } from "node:child_process";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { repository } from "./host-process.ts";

export const goSdk = join(repository, "sdk", "go");
const runFile = promisify(execFile);
/** A cold build of gRPC takes a minute of CPU; downloads come on top. */
const buildMsMax = 400_000;
let found: Promise<string | undefined> | undefined;

/** What this machine lacks to build Go plugins, if it does. The first call builds what all of them share. */
export function goMissing(): Promise<string | undefined> {
  found ??= look();
  return found;
}

async function look(): Promise<string | undefined> {
  try {
    await runFile("go", ["version"], { timeout: 30_000 });
  } catch {
    return "needs go 1.26";
  }
  try {
    await runGo(["mod", "download"]);
  } catch {
    return "go could not get the modules of sdk/go/go.mod";
  }
  // Once, so that test files side by side do not each build gRPC.
  await runGo(["build", "google.golang.org/grpc"]);
  return undefined;
}

/** Runs the go command in a folder, the SDK's unless said; resolves to what it prints. */
export async function runGo(args: string[], cwd = goSdk): Promise<string> {
  const env = { ...process.env, GOFLAGS: `${process.env["GOFLAGS"] ?? ""} -mod=readonly`.trim() };
  const { stdout } = await runFile("go", args, { cwd, env, timeout: buildMsMax });
  return stdout;
}

/** Builds `sdk/go/examples/NAME` as a plugin folder below `folder`, which is the answer. */
export async function goExample(name: string, folder: string): Promise<string> {
  const plugin = join(folder, name);
  await mkdir(plugin, { recursive: true });
  const program = join(plugin, name);
  await runGo(["build", "-o", program, `./examples/${name}`]);
  const { stdout } = await runFile(program, ["manifest"], { timeout: 60_000 });
  await writeFile(join(plugin, "plugin.json"), stdout);
  const conformance = join(goSdk, "examples", name, "conformance.json");
  await copyFile(conformance, join(plugin, "conformance.json"));
  return plugin;
}
