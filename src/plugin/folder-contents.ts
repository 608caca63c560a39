/** What lies in the folders of `plugin.path` that could be a plugin; reads no file and runs nothing. */
import type { BigIntStats, Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { errnoWords } from "../base/errno.ts";

/** One thing that is, or keeps something from being, a plugin. */
export type FolderEntry =
  /** A plugin.json. */
  | { at: "manifest"; path: string; stamp: string }
  /** A file that may be a plugin by itself. */
  | { at: "file"; path: string; stamp: string }
  | { at: "unusable"; path: string; reason: string };

export interface FolderContents {
  /** In the order in which the first of two equal plugins wins. */
  readonly entries: readonly FolderEntry[];
  /** The folders of `plugin.path`: any change in them matters. */
  readonly roots: readonly string[];
  /** Folders in them: their plugin.json matters. */
  readonly children: readonly string[];
}

/** I5: a folder with more than this is somebody's home or a mistake. */
const entriesMax = 10_000;
/** Nobody has so many plugins, and every one of them would be run: this is `/usr/bin`. */
const executablesMax = 100;
/** Names of what lies beside programs, often with execute permission because of how it was copied. */
const besidesPrograms =
  /\.(a|asc|class|dll|dylib|gz|jar|json|log|md|o|pem|properties|sha256|sig|so(\.[\d.]+)?|tar|tgz|toml|txt|xml|xz|ya?ml|zip)$/i;

/**
 * A folder with plugin.json is a plugin, and so is each of its direct children that has one. A file in
 * a folder of `plugin.path` may be one by itself, unless that folder is a plugin's own.
 */
export async function lookIntoFolders(paths: readonly string[]): Promise<FolderContents> {
  const entries: FolderEntry[] = [];
  const roots = new Set(paths.map((one) => resolve(one)));
  const children = new Set<string>();
  for (const path of roots) {
    try {
      const found = await readdir(path, { withFileTypes: true });
      await lookInto(path, found, entries, children);
    } catch (error) {
      const reason = `the plugin.path folder cannot be read: ${wordsOf(error)}`;
      entries.push({ at: "unusable", path, reason });
    }
  }
  const others = [...children].filter((one) => !roots.has(one));
  return { entries: once(entries), roots: [...roots], children: others };
}

async function lookInto(
  folder: string,
  found: readonly Dirent[],
  entries: FolderEntry[],
  children: Set<string>,
): Promise<void> {
  if (found.length > entriesMax) {
    const reason = `it has ${found.length} entries, too many for a folder of plugins`;
    entries.push({ at: "unusable", path: folder, reason });
    return;
  }
  const own = await manifestIn(folder);
  if (own !== undefined) entries.push(own);
  const files: FolderEntry[] = [];
  let executableCount = 0;
  const names = found.filter(mayBePlugin).map(({ name }) => name);
  for (const name of names.sort()) {
    const path = join(folder, name);
    const stats = await statOf(path);
    if (stats instanceof Error) {
      entries.push({ at: "unusable", path, reason: `it cannot be looked at: ${wordsOf(stats)}` });
    } else if (stats?.isDirectory()) {
      children.add(path);
      const manifest = await manifestIn(path);
      if (manifest !== undefined) entries.push(manifest);
    } else if (stats?.isFile() && !besidesPrograms.test(name)) {
      if ((stats.mode & 0o111n) !== 0n) executableCount += 1;
      files.push({ at: "file", path, stamp: stampOf(stats) });
    }
  }
  if (own !== undefined) return;
  if (executableCount <= executablesMax) entries.push(...files);
  else {
    const reason =
      `it has ${executableCount} executable files, and a folder of plugins has at most ` +
      `${executablesMax}: none of them is run`;
    entries.push({ at: "unusable", path: folder, reason });
  }
}

function mayBePlugin(entry: Dirent): boolean {
  if (entry.name.startsWith(".")) return false;
  return entry.isDirectory() || entry.isFile() || entry.isSymbolicLink();
}

async function manifestIn(directory: string): Promise<FolderEntry | undefined> {
  const path = join(directory, "plugin.json");
  const stats = await statOf(path);
  if (stats === undefined) return undefined;
  if (stats instanceof Error) {
    return { at: "unusable", path, reason: `it cannot be looked at: ${wordsOf(stats)}` };
  }
  return { at: "manifest", path, stamp: stampOf(stats) };
}

/** Undefined where there is nothing, also behind a link. */
async function statOf(path: string): Promise<BigIntStats | Error | undefined> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT" || code === "ENOTDIR" ? undefined : (error as Error);
  }
}

/** Differs whenever the file may have been changed or replaced. */
export function stampOf(stats: BigIntStats): string {
  const { dev, ino, size, mode, mtimeNs, ctimeNs } = stats;
  return [dev, ino, size, mode, mtimeNs, ctimeNs].join(":");
}

/** Each path once, where folders of `plugin.path` lie in one another. */
function once(entries: readonly FolderEntry[]): FolderEntry[] {
  const seen = new Map<string, FolderEntry>();
  for (const entry of entries) if (!seen.has(entry.path)) seen.set(entry.path, entry);
  return [...seen.values()];
}

function wordsOf(error: unknown): string {
  return errnoWords(error) ?? (error as NodeJS.ErrnoException).code ?? String(error);
}
