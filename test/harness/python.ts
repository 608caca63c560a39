/**
 * Python environments with pinned packages and the SDK of this checkout, each made once.
 */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
const runFile = promisify(execFile);

export interface PythonEnvironment {
  /** The interpreter that finds the packages. */
  python: string;
  /** What this machine lacks to have one; then `python` does not work. */
  missing: string | undefined;
}

/** What the tests of the contract and of the SDK run with. */
export function pythonEnvironment(): Promise<PythonEnvironment> {
  return environment(join(root, ".tools", "python"), "test/fixtures/python/requirements.txt");
}

/** What the feed plugin runs with. It is not in the plugin's folder, where a user's own may be. */
export function feedEnvironment(): Promise<PythonEnvironment> {
  return environment(join(root, ".tools", "feed"), "plugins/feed/requirements.txt");
}

/** Makes the environment when it is missing or its list of packages has changed. */
async function environment(folder: string, requirements: string): Promise<PythonEnvironment> {
  const python = join(folder, "bin", "python");
  const stampFile = join(folder, "installed");
  const wanted = readFileSync(join(root, requirements), "utf8");
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === wanted) {
    addSdk(folder);
    return { python, missing: undefined };
  }
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(dirname(folder), { recursive: true });
  try {
    await runFile("python3", ["-m", "venv", folder], { timeout: 60_000 });
  } catch {
    return { python, missing: "needs python3 with its venv module" };
  }
  try {
    const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    await runFile(python, [...install, "--only-binary", ":all:", "-r", join(root, requirements)], {
      timeout: 180_000,
    });
  } catch {
    return { python, missing: `pip could not install the packages of ${requirements}` };
  }
  addSdk(folder);
  writeFileSync(stampFile, wanted);
  return { python, missing: undefined };
}

/** The SDK from its sources: a line in the environment's path instead of an installation. */
function addSdk(folder: string): void {
  const line = `${join(root, "sdk", "python", "src")}\n`;
  for (const version of readdirSync(join(folder, "lib"))) {
    const file = join(folder, "lib", version, "site-packages", "bulkhead-sdk.pth");
    // Not written again: other tests may be starting Python right now.
    if (existsSync(file) && readFileSync(file, "utf8") === line) continue;
    // A file of its own: the environment may be a hard-linked copy of another checkout's.
    rmSync(file, { force: true });
    writeFileSync(file, line);
  }
}
