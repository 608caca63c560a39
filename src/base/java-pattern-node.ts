/** What a pattern of java.util.regex says, as a tree. */
import { type CharSet, not } from "./java-char-set.ts";
import type { PatternFlags } from "./java-pattern-reader.ts";

export type Anchor =
  | "start"
  | "line-start"
  | "unix-line-start"
  | "end"
  | "last-line-end"
  | "line-end"
  | "unix-last-line-end"
  | "unix-line-end"
  | "word-bound"
  | "no-word-bound"
  | "unicode-word-bound"
  | "no-unicode-word-bound";

/** Whether and how case counts. */
export type Fold = "none" | "ascii" | "unicode";

export type PatternNode =
  /** One code point. */
  | { readonly at: "set"; readonly set: CharSet }
  | { readonly at: "sequence"; readonly nodes: readonly PatternNode[] }
  /** The first that fits, then the next. */
  | { readonly at: "choice"; readonly nodes: readonly PatternNode[] }
  | { readonly at: "capture"; readonly group: number; readonly inner: PatternNode }
  /** Parentheses that capture nothing. */
  | { readonly at: "group"; readonly inner: PatternNode }
  /** Once it fits it is not tried in another way. */
  | { readonly at: "atomic"; readonly inner: PatternNode }
  | {
      readonly at: "look";
      readonly behind: boolean;
      readonly negative: boolean;
      readonly inner: PatternNode;
    }
  | {
      readonly at: "repeat";
      readonly min: number;
      /** Infinity = without bound. */
      readonly max: number;
      readonly greed: Greed;
      readonly inner: PatternNode;
    }
  | { readonly at: "reference"; readonly group: number; readonly fold: Fold }
  | { readonly at: "anchor"; readonly anchor: Anchor };

export type Greed = "greedy" | "lazy" | "possessive";

export const emptyNode: PatternNode = { at: "sequence", nodes: [] };

export function setOf(set: CharSet): PatternNode {
  return { at: "set", set };
}

function isLineEnd(code: number): boolean {
  return code === 0x0a || code === 0x0d || code === 0x85 || code === 0x2028 || code === 0x2029;
}

/** What `.` takes. */
export function anyCharacter({
  dotAll,
  unixLines,
}: Pick<PatternFlags, "dotAll" | "unixLines">): CharSet {
  if (dotAll) return () => true;
  return unixLines ? (code) => code !== 0x0a : not(isLineEnd);
}

/** `\R`: a pair first, which may be taken apart again. */
export const lineBreak: PatternNode = {
  at: "choice",
  nodes: [
    {
      at: "sequence",
      nodes: [setOf((code) => code === 0x0d), setOf((code) => code === 0x0a)],
    },
    setOf((code) => isLineEnd(code) || code === 0x0b || code === 0x0c),
  ],
};
