import type { Trial } from "./trial.ts";

/** One rule of the contract and how to see whether a plugin keeps it. */
export interface Clause {
  readonly id: string;
  readonly title: string;
  /** The rule in the words of the contract. */
  readonly rule: string;
  /** Where it stands. */
  readonly place: string;
  readonly hint: string;
  /** Judged once for the program, or for each class of that kind; `class`: for sources and sinks. */
  readonly of: "program" | "class" | "source" | "sink" | "stage";
  /** Returns when the rule is kept. @throws Broken, NotJudged, Blocked */
  run(trial: Trial): Promise<void>;
}

/** The plugin breaks the clause; the message says what was seen. */
export class Broken extends Error {}

/** The clause cannot be judged here; the message says why. */
export class NotJudged extends Error {}

/**
 * A step that another clause judges did not work. Where that clause failed this one is skipped;
 * otherwise nobody else would tell, and it fails.
 */
export class Blocked extends Error {
  /** The id of that clause. */
  readonly by: string;

  constructor(by: string, message: string) {
    super(message);
    this.by = by;
  }
}

/** @throws Broken with `seen` unless the condition holds */
export function must(condition: boolean, seen: string): asserts condition {
  if (!condition) throw new Broken(seen);
}
