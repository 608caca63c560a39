/** The recordings as a test of whatever host can be started. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type CompatResult, runCompat } from "./compat.ts";
import { type KnownDifference, knownDifferences } from "./known-differences.ts";
import type { Difference } from "./match.ts";

const cases = fileURLToPath(new URL("cases", import.meta.url));
const golden = ["standalone", "distributed"].map((mode) =>
  fileURLToPath(new URL(`golden/${mode}`, import.meta.url)),
);

/**
 * Replays the standalone recordings; fails with every difference that is not known, and with every
 * known one that is gone.
 */
export async function checkRecordings(
  baseUrl: string,
  options: { readonly only?: (name: string) => boolean } = {},
): Promise<void> {
  const results = await runCompat({ baseUrl, cases, golden, mode: "standalone", ...options });
  assert.ok(results.length > 0, "no case was replayed");
  const seen = new Set<KnownDifference>();
  const surprises = results.flatMap((result) => surprisesOf(result, seen));
  assert.deepEqual(surprises, []);
  const replayed = new Set(results.map(({ name }) => name));
  const gone = knownDifferences.filter((row) => replayed.has(row.case) && !seen.has(row));
  assert.deepEqual(gone, [], "these differences are gone: delete their rows");
}

function surprisesOf({ name, steps }: CompatResult, seen: Set<KnownDifference>): string[] {
  return steps.flatMap(({ step, label, differences }) =>
    differences.flatMap((difference) => {
      const known = knownDifferences.find(
        (row) =>
          row.case === name &&
          (row.steps?.includes(step) ?? true) &&
          (row.at?.test(difference.at) ?? true),
      );
      if (known) seen.add(known);
      return known ? [] : [`${name} step ${step}, ${label}: ${shown(difference)}`];
    }),
  );
}

function shown({ at, golden, answer }: Difference): string {
  return `${at}: recorded ${JSON.stringify(golden)}, answered ${JSON.stringify(answer)}`;
}
