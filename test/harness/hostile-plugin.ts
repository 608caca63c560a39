/** The hostile programs of test/fixtures, and folders that a host finds them in. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compiledProgram } from "./compiled-program.ts";

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
  const compiled = compiledProgram(`test/fixtures/hostile/${program}.ts`);
  const command = [...through, "node", compiled, ...args];
  const manifest = { name, version: "1", command, classes };
  await writeFile(join(folder, "plugin.json"), JSON.stringify(manifest));
  for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text);
  return folder;
}
