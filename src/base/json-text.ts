/** How deep a text that others gave us may nest (I5); what reads it later goes down by recursion. */
const depthMax = 100;

/** Whether a text is one JSON value that everyone down the line can read. */
export function isJson(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    // A level takes two characters or more, so a short text needs no look.
    return text.length <= 2 * depthMax || isFlat(value, depthMax);
  } catch {
    return false;
  }
}

function isFlat(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  return levels > 0 && Object.values(value).every((one) => isFlat(one, levels - 1));
}
