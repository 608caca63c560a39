import { readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoWords } from "../base/errno.ts";
import { parseManifest } from "./manifest.ts";
import type { PluginClass, UnusablePlugin } from "./plugin.ts";

const manifestBytesMax = 4 * 1_024 * 1_024;

/** The classes of a plugin.json, or why there are none. */
export async function readManifestFile(
  path: string,
): Promise<readonly PluginClass[] | UnusablePlugin> {
  let text: string;
  try {
    const stats = await stat(path);
    const { size } = stats;
    // Opening a pipe waits for its writer, and the host has few threads for that.
    if (!stats.isFile() && !stats.isDirectory()) {
      return { path, reason: "it cannot be read: it is not a file" };
    }
    if (size > manifestBytesMax) return { path, reason: `it has ${size} bytes, too many to read` };
    text = await readFile(path, "utf8");
  } catch (error) {
    const words = errnoWords(error) ?? (error as NodeJS.ErrnoException).code ?? String(error);
    return { path, reason: `it cannot be read: ${words}` };
  }
  const parsed = parseManifest(text, dirname(path));
  if (parsed.at === "broken") return { path, reason: parsed.problems.join("; ") };
  return parsed.manifest.classes;
}
