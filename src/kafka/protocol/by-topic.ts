/** The form that most APIs want: each topic once, with what concerns it, in the order of first sight. */
export function byTopic<T extends { readonly topic: string }>(
  items: readonly T[],
): readonly (readonly [topic: string, items: readonly T[]])[] {
  const found = new Map<string, T[]>();
  for (const item of items) {
    const known = found.get(item.topic);
    if (known === undefined) found.set(item.topic, [item]);
    else known.push(item);
  }
  return [...found];
}
