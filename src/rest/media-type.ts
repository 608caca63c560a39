/** Content negotiation. Most of what is here is JSON. */

const json = "application/json";

/**
 * Which of these media types suits `Accept` best; of those that suit alike the first. Without the
 * header everything suits. Undefined: none.
 */
export function preferred<T extends string>(
  accept: string | undefined,
  types: readonly T[],
): T | undefined {
  if (accept === undefined || accept.trim() === "") return types[0];
  const ranges = accept.split(",").map(rangeOf);
  let best: { type: T; weight: number; exactness: number } | undefined;
  for (const type of types) {
    for (const { range, weight } of ranges) {
      const exactness = exactnessOf(range, type);
      if (weight === 0 || exactness === 0) continue;
      const isBetter =
        best === undefined ||
        weight > best.weight ||
        (weight === best.weight && exactness > best.exactness);
      if (isBetter) best = { type, weight, exactness };
    }
  }
  return best?.type;
}

function rangeOf(text: string): { range: string; weight: number } {
  const [range = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const weight = Number(parameters.find((each) => each.startsWith("q="))?.slice(2) ?? 1);
  return { range, weight: Number.isNaN(weight) ? 1 : weight };
}

/** 0: it does not match. */
function exactnessOf(range: string, type: string): number {
  if (range === type) return 3;
  if (range === `${type.slice(0, type.indexOf("/"))}/*`) return 2;
  return range === "*/*" ? 1 : 0;
}

/** Is this `Content-Type` JSON, whatever its parameters? */
export function isJson(contentType: string): boolean {
  const [type = ""] = contentType.split(";");
  return type.trim().toLowerCase() === json;
}
