/**
 * Versions of plugins as Connect asks for them: nothing or `latest`, one version (`1.2`), or Maven's
 * ranges (`[1.0,2.0)`, `(,2.0]`).
 */

export type VersionWish =
  | { at: "any" }
  | { at: "range"; text: string; low: Bound | undefined; high: Bound | undefined }
  /** The reason in Connect's words. */
  | { at: "malformed"; reason: string };

interface Bound {
  readonly version: string;
  readonly inclusive: boolean;
}

/** Reads a wish; a bare version means exactly that one. */
export function parseVersionWish(text: string | null | undefined): VersionWish {
  if (text === null || text === undefined) return { at: "any" };
  const wish = text.trim();
  if (wish.toLowerCase() === "latest") return { at: "any" };
  if (wish === "") return { at: "range", text: "[,]", low: undefined, high: undefined };
  if (!/^[[(]/.test(wish)) {
    if (/[[\](),]/.test(wish)) return { at: "malformed", reason: `Unbounded range: ${wish}` };
    const only = { version: wish, inclusive: true };
    return { at: "range", text: `[${wish},${wish}]`, low: only, high: only };
  }
  const last = wish.at(-1);
  if (wish.length < 2 || (last !== "]" && last !== ")")) {
    return { at: "malformed", reason: `Unbounded range: ${wish}` };
  }
  const parts = wish
    .slice(1, -1)
    .split(",")
    .map((part) => part.trim());
  if (parts.length > 2) return { at: "malformed", reason: `Unbounded range: ${wish}` };
  const [low = "", high = low] = parts;
  if (parts.length === 1 && (wish[0] !== "[" || last !== "]")) {
    return { at: "malformed", reason: `Single version must be surrounded by []: ${wish}` };
  }
  return {
    at: "range",
    text: parts.length === 1 ? `[${low},${low}]` : wish,
    low: low === "" ? undefined : { version: low, inclusive: wish[0] === "[" },
    high: high === "" ? undefined : { version: high, inclusive: last === "]" },
  };
}

/** Does this version meet the wish? Nothing meets a malformed one. */
export function meetsWish(version: string, wish: VersionWish): boolean {
  if (wish.at === "any") return true;
  if (wish.at === "malformed") return false;
  const { low, high } = wish;
  if (low) {
    const order = compareVersions(version, low.version);
    if (order < 0 || (order === 0 && !low.inclusive)) return false;
  }
  if (high) {
    const order = compareVersions(version, high.version);
    if (order > 0 || (order === 0 && !high.inclusive)) return false;
  }
  return true;
}

/** Connect's text for a wish that none of these meets, the newest of which comes first. */
export function noSuchVersion(
  name: string,
  wish: VersionWish,
  versions: readonly { readonly version: string }[],
): string {
  const range = wish.at === "range" ? wish.text : "";
  return `Plugin ${name} not found that matches the version range ${range}, available versions: [${ascending(versions).join(", ")}]`;
}

/** As Connect lists the versions of a class, of which the newest comes first here. */
export function ascending(versions: readonly { readonly version: string }[]): string[] {
  return versions.map(({ version }) => version).reverse();
}

/** Numbers by size, missing ones count as 0; a word (`rc1`) comes before the release it precedes. */
export function compareVersions(a: string, b: string): number {
  const left = a.split(/[.-]/);
  const right = b.split(/[.-]/);
  for (let i = 0; i < Math.max(left.length, right.length); i += 1) {
    const order = comparePart(left[i] ?? "0", right[i] ?? "0");
    if (order !== 0) return order;
  }
  return 0;
}

function comparePart(a: string, b: string): number {
  const numeric = [a, b].map((part) => /^\d+$/.test(part));
  if (numeric[0] && numeric[1]) return Math.sign(Number(a) - Number(b));
  if (numeric[0] !== numeric[1]) return numeric[0] ? 1 : -1;
  return a < b ? -1 : a > b ? 1 : 0;
}
