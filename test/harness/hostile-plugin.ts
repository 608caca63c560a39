/** The hostile programs of test/fixtures as plain JavaScript, and folders that a host finds them in. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { repository } from "./host-process.ts";

const sources = "test/fixtures/hostile";
const generated = "src/plugin/gen/bulkhead/plugin/v1";
let programs: string | undefined;

/** Where the compiled programs are; made once for each state of their sources. */
export function hostilePrograms(): string {
  programs ??= compile();
  return programs;
}

function compile(): string {
  const files = readdirSync(join(repository, sources)).map((name) => join(sources, name));
  const hash = createHash("sha256");
  for (const file of [...files, ...readdirSync(join(repository, generated))]) {
    const path = files.includes(file) ? file : join(generated, file);
    hash.update(path).update(readFileSync(join(repository, path)));
  }
  const cache = join(repository, "node_modules/.cache");
  mkdirSync(cache, { recursive: true });
  const made = join(cache, `hostile-${hash.digest("hex").slice(0, 16)}`);
  if (!existsSync(made)) {
    // Two test files may come at once: each makes its own, and one of them is kept.
    const own = mkdtempSync(join(cache, "hostile-making-"));
    const options =
      "--ignoreConfig --noCheck --rewriteRelativeImportExtensions --target es2023 --module nodenext";
    const args = [...files, "--rootDir", ".", "--outDir", own, ...options.split(" ")];
    execFileSync(join(repository, "node_modules/.bin/tsc"), [...args, "--types", "node"], {
      cwd: repository,
    });
    try {
      renameSync(own, made);
    } catch {
      // The other one was quicker.
    }
  }
  return join(made, sources);
}

/** One plugin folder: which program with which words, and what it offers. */
export interface HostilePlugin {
  /** Its classes are `NAME.Source` and `NAME.Sink`. */
  readonly name: string;
  /** The file in test/fixtures/hostile, without its ending, and its arguments. */
  readonly run: readonly string[];
  /** Words before the program: a shell that sets something up and becomes it. */
  readonly through?: readonly string[];
  /** More files in its folder. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Writes the folder, which is also where the program works. */
export async function writeHostilePlugin(pluginPath: string, plugin: HostilePlugin) {
  const { name, run, through = [], files = {} } = plugin;
  const [program, ...args] = run;
  const folder = join(pluginPath, name);
  await mkdir(folder, { recursive: true });
  const classes = ["Source", "Sink"].map((kind) => ({
    class: `${name}.${kind}`,
    kind: kind.toLowerCase(),
    config: [],
  }));
  const command = [...through, "node", join(hostilePrograms(), `${program}.js`), ...args];
  const manifest = { name, version: "1", command, classes };
  await writeFile(join(folder, "plugin.json"), JSON.stringify(manifest));
  for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text);
  return folder;
}
