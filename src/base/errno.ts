/** What the operating system's error numbers mean, in words for whoever has to change something. */
const words: Readonly<Record<string, string>> = {
  EACCES: "this user may not do that",
  EDQUOT: "this user's share of the disk is used up",
  EISDIR: "it is a folder",
  ELOOP: "its links go round in a circle",
  EMFILE: "this process has too many files open",
  ENAMETOOLONG: "its name is too long",
  ENFILE: "this machine has too many files open",
  ENOENT: "there is no such file or folder",
  ENOSPC: "no room is left on the disk",
  ENOTDIR: "a part of its path is not a folder",
  EPERM: "this user may not do that",
  EROFS: "the disk is read-only",
};

/**
 * The words with the number behind them, `there is no such file or folder (ENOENT)`; undefined for an
 * error that has no number, or one that needs its own words.
 */
export function errnoWords(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  const known = typeof code === "string" && Object.hasOwn(words, code) ? words[code] : undefined;
  return known === undefined ? undefined : `${known} (${code})`;
}
