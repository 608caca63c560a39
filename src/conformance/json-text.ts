/** Two partitions are the same when their canonical texts are. Not JSON: the text as it is. */
export function canonicalJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text, sortMembers));
  } catch {
    return text;
  }
}

function sortMembers(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Whether a text is JSON. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
