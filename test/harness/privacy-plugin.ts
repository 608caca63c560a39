/** The TypeScript SDK's example of transforms and predicates, as a folder of plugins. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { repository } from "./host-process.ts";

export const privacyProgram = join(repository, "sdk/typescript/examples/privacy/main.mjs");
const own = { type: "STRING", importance: "HIGH", documentation: "d", required: true };
const manifest = {
  name: "privacy",
  version: "1.0.0",
  command: ["node", privacyProgram],
  classes: [
    {
      class: "example.MaskFields",
      kind: "transformation",
      config: [
        { ...own, name: "fields", type: "LIST" },
        { ...own, name: "drop", type: "BOOLEAN", required: false, default: "false" },
      ],
    },
    {
      class: "example.FieldEquals",
      kind: "predicate",
      config: [
        { ...own, name: "field" },
        { ...own, name: "value" },
      ],
    },
  ],
};

/** Gives the folder for `plugin.path`; `command` instead of the example's own. */
export async function privacyPlugins(
  directory: string,
  command: readonly string[] = manifest.command,
): Promise<string> {
  const plugins = join(directory, "plugins");
  const folder = join(plugins, "privacy");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "plugin.json"), JSON.stringify({ ...manifest, command }));
  return plugins;
}
