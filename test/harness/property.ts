/** Properties: statements that hold for every input, tried on inputs made from a seed. */
import fc from "fast-check";

/**
 * Tries the property on `runs` inputs (`BULKHEAD_ROUNDS` times as many where it is set: the long
 * rounds). When one breaks it, the error begins with the seed that makes the same inputs again and
 * shows the smallest input that still breaks it.
 */
export function holds<T>(property: fc.IProperty<T>, runs: number): void {
  const seed = chosenSeed();
  const result = fc.check(property, { seed, numRuns: runs * rounds() });
  if (!(result instanceof Promise)) report(result, seed);
}

/** As `holds`, for a property that waits. */
export async function holdsAsync<T>(property: fc.IAsyncProperty<T>, runs: number): Promise<void> {
  const seed = chosenSeed();
  report(await fc.check(property, { seed, numRuns: runs * rounds() }), seed);
}

function report<T>(details: fc.RunDetails<T>, seed: number): void {
  if (!details.failed) return;
  const text = fc.defaultReportMessage(details) ?? "it failed";
  throw new Error(`BULKHEAD_SEED=${seed} makes these inputs again\n${text}`, {
    cause: details.errorInstance,
  });
}

/** `BULKHEAD_SEED`, else one of the clock. */
export function chosenSeed(): number {
  const given = process.env["BULKHEAD_SEED"];
  return given === undefined ? Date.now() % 1_000_000 : Number(given);
}

/** How many times as many inputs as usual: `BULKHEAD_ROUNDS`. */
export function rounds(): number {
  return Number(process.env["BULKHEAD_ROUNDS"] ?? 1);
}
