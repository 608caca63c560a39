/** A fixture as plain JavaScript: a program that starts many times shall not be translated each time. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Compiles a program of the repository, `test/fixtures/x.ts`; the answer is what `node` can run. */
export function compiledProgram(file: string): string {
  const cache = join(root, "node_modules/.cache");
  mkdirSync(cache, { recursive: true });
  const directory = mkdtempSync(join(cache, "compiled-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  const options =
    "--ignoreConfig --noCheck --rewriteRelativeImportExtensions --target es2023 --module nodenext";
  const args = [file, "--rootDir", ".", "--outDir", directory, ...options.split(" ")];
  execFileSync(join(root, "node_modules/.bin/tsc"), [...args, "--types", "node"], { cwd: root });
  writeFileSync(join(directory, "package.json"), JSON.stringify({ type: "module" }));
  return join(directory, file.replace(/\.ts$/, ".js"));
}
