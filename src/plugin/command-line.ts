import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import type { PluginManifest } from "./plugin.ts";
import { whyUnknownFormat } from "./unknown-format.ts";

/** A program to start and its arguments, or why it cannot be started. */
export type CommandLine =
  | { at: "found"; program: string; args: readonly string[] }
  | { at: "unusable"; reason: string };

/**
 * `node` is the Node that runs the host; a relative program with a slash is in the plugin's folder;
 * any other is looked up on PATH.
 */
export async function resolveCommand(
  plugin: PluginManifest,
  path = process.env["PATH"] ?? "",
): Promise<CommandLine> {
  const [name = "", ...args] = plugin.command;
  if (name === "node") return { at: "found", program: process.execPath, args };
  if (isAbsolute(name) || name.includes("/")) {
    const program = resolve(plugin.directory, name);
    const reason = (await whyNotRunnable(program)) ?? (await whyUnknownFormat(program));
    return reason === undefined ? { at: "found", program, args } : { at: "unusable", reason };
  }
  for (const directory of path.split(delimiter).filter(Boolean)) {
    const program = join(directory, name);
    if ((await whyNotRunnable(program)) !== undefined) continue;
    const reason = await whyUnknownFormat(program);
    return reason === undefined ? { at: "found", program, args } : { at: "unusable", reason };
  }
  return { at: "unusable", reason: `the program ${name} was not found on PATH` };
}

async function whyNotRunnable(program: string): Promise<string | undefined> {
  try {
    if (!(await stat(program)).isFile()) return `${program} is not a file`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") {
      return `there is no program ${program}; build the plugin, or correct command in its plugin.json`;
    }
    return `the program ${program} cannot be looked at (${code})`;
  }
  try {
    await access(program, constants.X_OK);
  } catch {
    return `${program} has no execute permission; give it one with chmod +x`;
  }
  return undefined;
}
