import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { PluginManifest } from "./plugin.ts";

/** I5: of a long command only its beginning is looked at. */
const partsMax = 16;

/**
 * What a program looks like on disk: its plugin.json and every file that its command names. A process
 * of another signature runs an older program, which must not take over new work.
 */
export async function launchSignature({ directory, command }: PluginManifest): Promise<string> {
  const files = ["plugin.json", ...command.slice(0, partsMax)];
  const parts = await Promise.all(files.map((file) => signatureOf(resolve(directory, file))));
  return parts.join(" ");
}

async function signatureOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeMs } = await stat(path);
    return `${ino}:${size}:${mtimeMs}`;
  } catch {
    // Not a file: `node`, an option, or a program that is gone, which its launch will tell.
    return "-";
  }
}
