/**
 * Matches a text against a pattern's tree as java.util.regex does: the first way that fits, tried in
 * Java's order. Every node is a function that knows what comes after it.
 */
import { RecordError } from "./error.ts";
import {
  type CharSet,
  foldAscii,
  foldUnicode,
  isMark,
  isUnicodeWordPart,
  isWordPart,
} from "./java-char-set.ts";
import { lengthOf } from "./java-pattern-length.ts";
import type { Anchor, Fold, PatternNode } from "./java-pattern-node.ts";
import type { ParsedPattern } from "./java-pattern-parser.ts";

/** Whether the rest of the pattern fits from a place on. */
type Step = (at: number) => boolean;

/** Some tens of milliseconds; names of topics take some hundreds of steps. */
const stepsMax = 1_000_000;

/** One text at a time. */
export class JavaMatcher {
  readonly #pattern: ParsedPattern;
  readonly #first: Step;
  /** Begin and end of each group, -1 where it took no part; the whole match is 0. */
  spans: number[] = [];
  /** Where groups that are being matched begin. */
  readonly #begins: number[] = [];
  #text = "";
  #mustEnd = false;
  #steps = 0;

  constructor(pattern: ParsedPattern) {
    this.#pattern = pattern;
    this.#first = this.#compile(pattern.node, (at) => {
      if (this.#mustEnd && at !== this.#text.length) return false;
      this.spans[1] = at;
      return true;
    });
  }

  /** @throws RecordError where it would take too long or too deep */
  matches(text: string): boolean {
    this.#begin(text, true);
    return this.#try(0);
  }

  /** The first place from the left that fits. @throws RecordError as `matches` */
  find(text: string): boolean {
    this.#begin(text, false);
    for (let at = 0; at <= text.length; at += 1) if (this.#try(at)) return true;
    return false;
  }

  #begin(text: string, mustEnd: boolean): void {
    this.#text = text;
    this.#mustEnd = mustEnd;
    this.#steps = 0;
    this.spans = new Array<number>(2 * this.#pattern.groups + 2).fill(-1);
  }

  #try(at: number): boolean {
    this.spans[0] = at;
    try {
      return this.#first(at);
    } catch (error) {
      // A stack that is used up.
      if (error instanceof RangeError) throw tooCostly("goes too deep");
      throw error;
    }
  }

  // I5: an unlucky pattern takes time exponential in the length of the text.
  #count(): void {
    this.#steps += 1;
    if (this.#steps > stepsMax) throw tooCostly(`takes more than ${stepsMax} steps`);
  }

  #compile(node: PatternNode, next: Step): Step {
    switch (node.at) {
      case "set":
        return this.#set(node.set, next);
      case "sequence":
        return node.nodes.reduceRight((after: Step, each) => this.#compile(each, after), next);
      case "choice":
        return this.#choice(node.nodes, next);
      case "capture":
        return this.#capture(node.group, node.inner, next);
      case "group":
        return this.#compile(node.inner, next);
      case "atomic":
        return this.#atomic(node.inner, next);
      case "look":
        return node.behind
          ? this.#lookBehind(node.inner, node.negative, next)
          : this.#lookAhead(node.inner, node.negative, next);
      case "repeat":
        return this.#repeat(node, next);
      case "reference":
        return this.#reference(node.group, node.fold, next);
      case "anchor": {
        const { anchor } = node;
        return (at) => holdsAt(anchor, this.#text, at) && next(at);
      }
    }
  }

  #set(set: CharSet, next: Step): Step {
    return (at) => {
      this.#count();
      const after = this.#after(set, at);
      return after >= 0 && next(after);
    };
  }

  /** The place behind a character of the set; -1 = there is none. */
  #after(set: CharSet, at: number): number {
    const code = this.#text.codePointAt(at);
    if (code === undefined || !set(code)) return -1;
    return code > 0xffff ? at + 2 : at + 1;
  }

  #choice(nodes: readonly PatternNode[], next: Step): Step {
    const steps = nodes.map((each) => this.#compile(each, next));
    return (at) => {
      this.#count();
      for (const step of steps) if (step(at)) return true;
      return false;
    };
  }

  #capture(group: number, inner: PatternNode, next: Step): Step {
    const close = (at: number): boolean => {
      const [begin = -1, end = -1] = [this.spans[2 * group], this.spans[2 * group + 1]];
      this.spans[2 * group] = this.#begins[group] ?? -1;
      this.spans[2 * group + 1] = at;
      if (next(at)) return true;
      this.spans[2 * group] = begin;
      this.spans[2 * group + 1] = end;
      return false;
    };
    const body = this.#compile(inner, close);
    return (at) => {
      const begin = this.#begins[group] ?? -1;
      this.#begins[group] = at;
      if (body(at)) return true;
      this.#begins[group] = begin;
      return false;
    };
  }

  /** By itself, to its end wherever that is; -1 = it does not fit. */
  #alone(inner: PatternNode): (at: number) => number {
    let end = -1;
    const body = this.#compile(inner, (at) => {
      end = at;
      return true;
    });
    return (at) => (body(at) ? end : -1);
  }

  // As in Java, what groups caught in here stays with them even if the rest does not fit.
  #atomic(inner: PatternNode, next: Step): Step {
    const alone = this.#alone(inner);
    return (at) => {
      const end = alone(at);
      return end >= 0 && next(end);
    };
  }

  #lookAhead(inner: PatternNode, negative: boolean, next: Step): Step {
    const alone = this.#alone(inner);
    return (at) => alone(at) >= 0 !== negative && next(at);
  }

  #lookBehind(inner: PatternNode, negative: boolean, next: Step): Step {
    const { min, max } = lengthOf(inner) ?? { min: 0, max: 0 };
    let wanted = -1;
    const body = this.#compile(inner, (at) => at === wanted);
    const found = (at: number): boolean => {
      const outer = wanted;
      wanted = at;
      let isFound = false;
      const last = Math.max((at - max) | 0, 0);
      for (let from = (at - min) | 0; !isFound && from >= last; from -= 1) isFound = body(from);
      wanted = outer;
      return isFound;
    };
    return (at) => found(at) !== negative && next(at);
  }

  #reference(group: number, fold: Fold, next: Step): Step {
    const same = (a: number, b: number): boolean => {
      if (fold === "none") return a === b;
      return fold === "ascii" ? foldAscii(a) === foldAscii(b) : foldUnicode(a) === foldUnicode(b);
    };
    return (at) => {
      const begin = this.spans[2 * group] ?? -1;
      const length = (this.spans[2 * group + 1] ?? -1) - begin;
      if (begin < 0 || at + length > this.#text.length) return false;
      for (let index = 0; index < length; index += 1) {
        this.#count();
        const [a, b] = [this.#text.charCodeAt(begin + index), this.#text.charCodeAt(at + index)];
        if (!same(a, b)) return false;
      }
      return next(at + length);
    };
  }

  #repeat(node: PatternNode & { at: "repeat" }, next: Step): Step {
    const { inner, min, max, greed } = node;
    if (greed === "possessive") return this.#possessive(inner, min, max, next);
    if (min === 0 && max === 1) {
      const body = this.#compile(inner, next);
      return greed === "lazy" ? (at) => next(at) || body(at) : (at) => body(at) || next(at);
    }
    if (inner.at === "set") return this.#runOf(inner.set, min, max, greed === "lazy", next);
    return this.#loop(inner, min, max, greed === "lazy", next);
  }

  /** Each round is settled once it fits. */
  #possessive(inner: PatternNode, min: number, max: number, next: Step): Step {
    const alone = this.#alone(inner);
    return (at) => {
      let place = at;
      let count = 0;
      while (count < max) {
        this.#count();
        const end = alone(place);
        if (end < 0) break;
        count = end === place ? Math.max(min, count + 1) : count + 1;
        if (end === place) break;
        place = end;
      }
      return count >= min && next(place);
    };
  }

  /** Single characters need no stack. */
  #runOf(set: CharSet, min: number, max: number, isLazy: boolean, next: Step): Step {
    return (at) => {
      let place = at;
      let count = 0;
      const goOn = (): boolean => {
        this.#count();
        const after = count < max ? this.#after(set, place) : -1;
        if (after < 0) return false;
        place = after;
        count += 1;
        return true;
      };
      while (count < min) if (!goOn()) return false;
      if (isLazy) {
        while (!next(place)) if (!goOn()) return false;
        return true;
      }
      while (goOn());
      for (;;) {
        if (next(place)) return true;
        if (count === min) return false;
        this.#count();
        count -= 1;
        place -= this.#isPairBefore(place) ? 2 : 1;
      }
    };
  }

  #isPairBefore(at: number): boolean {
    return at >= 2 && (this.#text.codePointAt(at - 2) ?? 0) > 0xffff;
  }

  #loop(inner: PatternNode, min: number, max: number, isLazy: boolean, next: Step): Step {
    let count = 0;
    let begin = -1;
    const round = (at: number): boolean => {
      const [countBefore, beginBefore] = [count, begin];
      count += 1;
      begin = at;
      if (body(at)) return true;
      count = countBefore;
      begin = beginBefore;
      return false;
    };
    const attempt = (at: number): boolean => {
      this.#count();
      if (count < min) return round(at);
      if (isLazy) return next(at) || (count < max && round(at));
      return (count < max && round(at)) || next(at);
    };
    // A round that took nothing is the last one.
    const body = this.#compile(inner, (at) => (at === begin ? next(at) : attempt(at)));
    return (at) => {
      const [countBefore, beginBefore] = [count, begin];
      count = 0;
      begin = -1;
      const fits = attempt(at);
      count = countBefore;
      begin = beginBefore;
      return fits;
    };
  }
}

function tooCostly(what: string): RecordError {
  return new RecordError("transform.failed", `matching it ${what}: simplify the pattern`, {
    javaClass: "org.apache.kafka.connect.errors.DataException",
  });
}

function isWordBound(part: CharSet, text: string, at: number): boolean {
  const left = at > 0 && isPart(part, text, at - 1);
  const right = at < text.length && isPart(part, text, at);
  return left !== right;
}

/** A mark belongs to what is before it. */
function isPart(part: CharSet, text: string, at: number): boolean {
  for (let place = at; place >= 0; place -= 1) {
    const code = text.codePointAt(place) ?? 0;
    if (part(code) || code >= 0xdc00) return part(code);
    if (!isMark(code)) return false;
  }
  return false;
}

const lineEnds = "\n\r\x85\u2028\u2029";

function holdsAt(anchor: Anchor, text: string, at: number): boolean {
  const end = text.length;
  const char = text.charAt(at);
  const before = at === 0 ? "" : text.charAt(at - 1);
  switch (anchor) {
    case "start":
      return at === 0;
    case "end":
      return at === end;
    case "line-start":
      // Not at the end of the text, nor between the two of a line's end.
      if (at === end) return false;
      return at === 0 || (lineEnds.includes(before) && !(before === "\r" && char === "\n"));
    case "unix-line-start":
      return at < end && (at === 0 || before === "\n");
    case "last-line-end":
      if (at < end - 2 || (at === end - 2 && text.slice(at) !== "\r\n")) return false;
      return at === end || isLineEndAt(char, before);
    case "line-end":
      return at === end || isLineEndAt(char, before);
    case "unix-last-line-end":
      return at === end || (at === end - 1 && char === "\n");
    case "unix-line-end":
      return at === end || char === "\n";
    case "word-bound":
      return isWordBound(isWordPart, text, at);
    case "no-word-bound":
      return !isWordBound(isWordPart, text, at);
    case "unicode-word-bound":
      return isWordBound(isUnicodeWordPart, text, at);
    case "no-unicode-word-bound":
      return !isWordBound(isUnicodeWordPart, text, at);
  }
}

function isLineEndAt(char: string, before: string): boolean {
  return lineEnds.includes(char) && !(char === "\n" && before === "\r");
}
