import { readdir, readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { errnoWords } from "../base/errno.ts";
import { createCatalog } from "./catalog.ts";
import { parseManifest } from "./manifest.ts";
import type { PluginCatalog, PluginClass, UnusablePlugin } from "./plugin.ts";

const manifestBytesMax = 4 * 1_024 * 1_024;

/**
 * Looks into each folder of `plugin.path`: a folder with plugin.json is a plugin, and so is each of
 * its direct children that has one. What cannot be used is listed with the reason and stops nothing.
 */
export async function discoverPlugins(paths: readonly string[]): Promise<PluginCatalog> {
  const classes: PluginClass[] = [];
  const unusable: UnusablePlugin[] = [];
  const directories = new Set<string>();
  for (const path of new Set(paths.map((one) => resolve(one)))) {
    try {
      for (const directory of await candidates(path)) directories.add(directory);
    } catch (error) {
      unusable.push({ path, reason: `the plugin.path folder cannot be read: ${wordsOf(error)}` });
    }
  }
  for (const directory of directories) {
    const found = await readPlugin(directory);
    if (Array.isArray(found)) classes.push(...found);
    else if (found !== undefined) unusable.push(found);
  }
  return createCatalog(classes, unusable);
}

async function candidates(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true });
  const children = entries
    .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
    .map((entry) => join(path, entry.name));
  return [path, ...children.sort()];
}

/** Nothing when the folder is not a plugin's. */
async function readPlugin(directory: string): Promise<PluginClass[] | UnusablePlugin | undefined> {
  const path = join(directory, "plugin.json");
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > manifestBytesMax) return { path, reason: `it has ${size} bytes, too many to read` };
    text = await readFile(path, "utf8");
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    return { path, reason: `it cannot be read: ${wordsOf(error)}` };
  }
  const parsed = parseManifest(text, directory);
  if (parsed.at === "broken") return { path, reason: parsed.problems.join("; ") };
  return [...parsed.manifest.classes];
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

function wordsOf(error: unknown): string {
  return errnoWords(error) ?? codeOf(error);
}
