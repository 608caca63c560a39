/**
 * Writes the Python messages of `sdk/python`, into the folder given or the checkout:
 * `npm run generate:python`.
 */
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { pythonEnvironment } from "./python.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const output = resolve(process.argv[2] ?? root);
const { missing } = await pythonEnvironment();
if (missing !== undefined) {
  process.stderr.write(`cannot generate: ${missing}\n`);
  process.exit(1);
}
const buf = join(root, "node_modules", ".bin", "buf");
const args = ["generate", "--template", "sdk/python/buf.gen.yaml", "--output", output];
process.exitCode = spawnSync(buf, args, { cwd: root, stdio: "inherit" }).status ?? 1;
