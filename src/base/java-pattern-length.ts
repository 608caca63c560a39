/**
 * How much text a node takes, by java.util.regex's own reckoning: whether a look-behind is allowed, and
 * where it begins, hangs on this, with its int32 that runs over.
 */
import { emptyNode, lineBreak, type PatternNode } from "./java-pattern-node.ts";

/** What was found out about the nodes so far. */
interface Study {
  min: number;
  max: number;
  /** Whether `max` means anything. */
  isBounded: boolean;
  /** Whether there is but one way to match. */
  isDeterministic: boolean;
  /** What came up to the last choice. It is added at the end, when it runs over unseen. */
  carried: { min: number; max: number; isBounded: boolean };
}

/** In UTF-16 units; undefined = no obvious maximum. */
export function lengthOf(node: PatternNode): { min: number; max: number } | undefined {
  const { min, max, isBounded } = studied(node);
  return isBounded ? { min, max } : undefined;
}

const repeatsMax = 0x7fff_ffff;

function fresh(): Study {
  const carried = { min: 0, max: 0, isBounded: true };
  return { min: 0, max: 0, isBounded: true, isDeterministic: true, carried };
}

function studied(node: PatternNode): Study {
  const found = fresh();
  study(node, found);
  const { carried } = found;
  found.min = (found.min + carried.min) | 0;
  found.max = (found.max + carried.max) | 0;
  found.isBounded &&= carried.isBounded;
  return found;
}

function study(node: PatternNode, so: Study): void {
  switch (node.at) {
    case "set":
      so.min = (so.min + 1) | 0;
      so.max = (so.max + 1) | 0;
      return;
    case "sequence":
      for (const each of node.nodes) study(each, so);
      return;
    case "choice":
      if (node === lineBreak) {
        so.min = (so.min + 1) | 0;
        so.max = (so.max + 2) | 0;
      } else studyChoice(node.nodes, so);
      return;
    case "capture":
    case "group":
    case "atomic":
      study(node.inner, so);
      return;
    case "repeat":
      studyRepeat(node, so);
      return;
    case "reference":
      so.isBounded = false;
      return;
    default:
      return;
  }
}

function studyChoice(nodes: readonly PatternNode[], so: Study): void {
  const each = nodes.map(studied);
  const { carried } = so;
  carried.min = (carried.min + so.min + Math.min(...each.map(({ min }) => min))) | 0;
  carried.max = (carried.max + so.max + Math.max(...each.map(({ max }) => max))) | 0;
  carried.isBounded &&= so.isBounded && each.every(({ isBounded }) => isBounded);
  so.min = 0;
  so.max = 0;
  so.isBounded = true;
  so.isDeterministic = false;
}

function studyRepeat(node: PatternNode & { at: "repeat" }, so: Study): void {
  const { inner, min, greed } = node;
  const max = Math.min(node.max, repeatsMax);
  const isGroup = inner.at === "capture" || inner.at === "group";
  if (min === 0 && max === 1) {
    if (isGroup && greed !== "possessive") {
      studyChoice([inner, emptyNode], so);
      return;
    }
    const least = so.min;
    study(inner, so);
    so.min = least;
    so.isDeterministic = false;
    return;
  }
  if (inner.at === "set" && node.max === Number.POSITIVE_INFINITY && greed === "greedy") {
    so.min = (so.min + min) | 0;
    so.max = (so.max + repeatsMax) | 0;
    so.isDeterministic = false;
    return;
  }
  const one = studied(inner);
  if (isGroup && greed !== "possessive" && !one.isDeterministic) {
    so.isBounded = false;
    so.isDeterministic = false;
    return;
  }
  const least = (Math.imul(one.min, min) + so.min) | 0;
  so.min = least < so.min ? 0xfff_ffff : least;
  const most = (Math.imul(one.max, max) + so.max) | 0;
  so.isBounded &&= one.isBounded && most >= so.max;
  so.max = most;
  so.isDeterministic &&= one.isDeterministic && min === max;
}
