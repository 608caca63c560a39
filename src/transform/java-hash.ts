/** Of several things wrong Connect tells the first it comes to, and it goes through hash tables. */

/** In the order in which a HashMap or HashSet that was made of them goes through its keys. */
export function inHashOrder<T>(entries: readonly T[], keyOf: (entry: T) => string): readonly T[] {
  let buckets = 16;
  while (entries.length > buckets * 0.75) buckets *= 2;
  const placed = entries.map((entry) => ({ entry, bucket: spread(keyOf(entry)) & (buckets - 1) }));
  return placed.sort((one, other) => one.bucket - other.bucket).map(({ entry }) => entry);
}

function spread(text: string): number {
  let hash = 0;
  for (let at = 0; at < text.length; at += 1) {
    hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0;
  }
  return hash ^ (hash >>> 16);
}
