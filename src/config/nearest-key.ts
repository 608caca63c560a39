/** The key that a mistyped one probably means. */

/** So many letters may be wrong, missing, too many or swapped. */
const editsMax = 2;

/** The one among `known` that is closest to `key`, if any is close enough to be meant. */
export function nearestKey(key: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestEdits = editsMax + 1;
  for (const each of known) {
    // Short keys would be close to anything.
    if (Math.abs(each.length - key.length) >= bestEdits || each.length <= 2 * editsMax) continue;
    const edits = editsBetween(key.toLowerCase(), each);
    if (edits < bestEdits) [best, bestEdits] = [each, edits];
  }
  return best;
}

/** Levenshtein's distance, with a swap of neighbours as one edit. */
function editsBetween(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const isSame = a[row - 1] === b[column - 1];
      let edits = Math.min(
        last[column]! + 1,
        current[column - 1]! + 1,
        last[column - 1]! + (isSame ? 0 : 1),
      );
      const isSwap = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (row > 1 && column > 1 && isSwap) edits = Math.min(edits, beforeLast[column - 2]! + 1);
      current.push(edits);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length]!;
}
