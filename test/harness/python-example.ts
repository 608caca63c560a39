/** An example of the Python SDK as a plugin folder: its manifest, started with the environment's Python. */
import { execFile } from "node:child_process";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { repository } from "./host-process.ts";

const runFile = promisify(execFile);

/** Writes plugin.json and conformance.json of `sdk/python/examples/NAME` into `folder`/NAME, which is the answer. */
export async function pythonExample(python: string, name: string, folder: string): Promise<string> {
  const example = join(repository, "sdk", "python", "examples", name);
  const program = join(example, "main.py");
  const { stdout } = await runFile(python, [program, "manifest"], { timeout: 60_000 });
  const manifest = { ...JSON.parse(stdout), command: [python, program] };
  const plugin = join(folder, name);
  await mkdir(plugin, { recursive: true });
  await writeFile(join(plugin, "plugin.json"), JSON.stringify(manifest));
  await copyFile(join(example, "conformance.json"), join(plugin, "conformance.json"));
  return plugin;
}
