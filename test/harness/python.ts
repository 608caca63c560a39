/**
 * A Python environment with pinned packages and the SDK of this checkout, made once under `.tools`.
 */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = join(root, ".tools", "python");
const requirements = join(root, "test", "fixtures", "python", "requirements.txt");
const runFile = promisify(execFile);

export interface PythonEnvironment {
  /** The interpreter that finds the packages. */
  python: string;
  /** What this machine lacks to have one; then `python` does not work. */
  missing: string | undefined;
}

/** Makes the environment when it is missing or its list of packages has changed. */
export async function pythonEnvironment(): Promise<PythonEnvironment> {
  const python = join(folder, "bin", "python");
  const stampFile = join(folder, "installed");
  const wanted = readFileSync(requirements, "utf8");
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === wanted) {
    addSdk();
    return { python, missing: undefined };
  }
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(root, ".tools"), { recursive: true });
  try {
    await runFile("python3", ["-m", "venv", folder], { timeout: 60_000 });
  } catch {
    return { python, missing: "needs python3 with its venv module" };
  }
  try {
    const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    await runFile(python, [...install, "--only-binary", ":all:", "-r", requirements], {
      timeout: 180_000,
    });
  } catch {
    return {
      python,
      missing: "pip could not install the packages of test/fixtures/python/requirements.txt",
    };
  }
  addSdk();
  writeFileSync(stampFile, wanted);
  return { python, missing: undefined };
}

/** The SDK from its sources: a line in the environment's path instead of an installation. */
function addSdk(): void {
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
