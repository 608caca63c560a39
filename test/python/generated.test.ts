import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { pythonEnvironment } from "../harness/python.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { missing } = await pythonEnvironment();

test("the Python messages are what the contract generates", {
  skip: missing ?? false,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), "bulkhead-python-gen-"));
  try {
    const generator = join(root, "test", "harness", "python-gen.ts");
    await promisify(execFile)(process.execPath, [...process.execArgv, generator, folder]);
    const packagePath = join("sdk", "python", "src", "bulkhead", "plugin", "v1");
    const fresh = await contents(join(folder, packagePath));
    const committed = await contents(join(root, packagePath));
    assert.ok(fresh.size > 0);
    const differing = [...fresh].filter(([name, text]) => committed.get(name) !== text);
    const surplus = [...committed.keys()].filter((name) => !fresh.has(name));
    const names = [...differing.map(([name]) => name), ...surplus];
    assert.deepEqual(names, [], "run npm run generate:python and commit it");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

async function contents(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of await readdir(folder)) {
    if (name.endsWith(".py")) found.set(name, await readFile(join(folder, name), "utf8"));
  }
  return found;
}
