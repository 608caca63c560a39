const wordCount = 2_000;
const letters = "abcdefghijklmnopqrstuvwxyz";

/** Numbers from 0 to 1 that are the same for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Texts of lower-case pseudo-words and blanks, each exactly `size` characters long. */
export function makeTexts(count: number, size: number, random: () => number): string[] {
  const below = (limit: number) => Math.floor(random() * limit);
  const words = Array.from({ length: wordCount }, () =>
    Array.from({ length: 3 + below(7) }, () => letters[below(26)]).join(""),
  );
  return Array.from({ length: count }, () => {
    const parts: string[] = [];
    for (let length = 0; length <= size; length += parts[parts.length - 1]!.length + 1) {
      parts.push(words[below(wordCount)]!);
    }
    return parts.join(" ").slice(0, size);
  });
}
