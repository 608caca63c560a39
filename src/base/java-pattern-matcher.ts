/**
 * Matches a text against a pattern's tree as java.util.regex does: the first way that fits, tried in
 * Java's order. Every node is a function that knows what comes after it.
 */
import { RecordError } from "./error.ts";
import { type CharSet, foldAscii, foldUnicode } from "./java-char-set.ts";
import { holdsAt } from "./java-pattern-anchor.ts";
import { lengthOf } from "./java-pattern-length.ts";
import type { Fold, PatternNode } from "./java-pattern-node.ts";
import type { ParsedPattern } from "./java-pattern-parser.ts";

/** Whether the rest of the pattern fits from a place on. */
type Step = (at: number) => boolean;

/** Some tens of milliseconds; names of topics take some hundreds of steps. */
const stepsMax = 300_000;

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
  /** How many repetitions and conditions are around the node that is being compiled. */
  #nesting = 0;
  /** Where loops were tried in vain, as far as that is known not to change. */
  readonly #vain: Set<number>[] = [];

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
    for (const places of this.#vain) places.clear();
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

  #nested(node: PatternNode, next: Step): Step {
    this.#nesting += 1;
    const step = this.#compile(node, next);
    this.#nesting -= 1;
    return step;
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
    const body = this.#nested(inner, (at) => {
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
    const body = this.#nested(inner, (at) => at === wanted);
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
    const run = isLazy ? this.#lazyRun(set, min, max, next) : this.#greedyRun(set, min, max, next);
    const vain = this.#vainPlaces();
    if (vain === undefined) return run;
    return (at) => {
      if (vain.has(at)) return false;
      if (run(at)) return true;
      vain.add(at);
      return false;
    };
  }

  #lazyRun(set: CharSet, min: number, max: number, next: Step): Step {
    return (at) => {
      let place = at;
      for (let count = 0; ; count += 1) {
        this.#count();
        if (count >= min && next(place)) return true;
        place = count < max ? this.#after(set, place) : -1;
        if (place < 0) return false;
      }
    };
  }

  #greedyRun(set: CharSet, min: number, max: number, next: Step): Step {
    return (at) => {
      let place = at;
      let count = 0;
      while (count < max) {
        this.#count();
        const after = this.#after(set, place);
        if (after < 0) break;
        place = after;
        count += 1;
      }
      for (; count >= min; count -= 1) {
        if (next(place)) return true;
        this.#count();
        place -= this.#isPairBefore(place) ? 2 : 1;
      }
      return false;
    };
  }

  #isPairBefore(at: number): boolean {
    return at >= 2 && (this.#text.codePointAt(at - 2) ?? 0) > 0xffff;
  }

  /** Only what is in no loop comes to the same place in the same state, and groups may not matter. */
  #vainPlaces(): Set<number> | undefined {
    if (this.#nesting > 0 || this.#pattern.hasReferences) return undefined;
    const places = new Set<number>();
    this.#vain.push(places);
    return places;
  }

  #loop(inner: PatternNode, min: number, max: number, isLazy: boolean, next: Step): Step {
    let count = 0;
    let begin = -1;
    const vain = max === Number.POSITIVE_INFINITY && !isLazy ? this.#vainPlaces() : undefined;
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
      if (count < max && vain?.has(at) !== true) {
        if (round(at)) return true;
        vain?.add(at);
      }
      return next(at);
    };
    // A round that took nothing is the last one.
    const body = this.#nested(inner, (at) => (at === begin ? next(at) : attempt(at)));
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
