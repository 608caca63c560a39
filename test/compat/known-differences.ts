/**
 * Where this version is known to differ from the recordings, and why. The list may shrink, not grow:
 * a row that no longer differs fails the test, so that whoever lifts it deletes it.
 */
export interface KnownDifference {
  readonly case: string;
  /** None: any step of the case. */
  readonly steps?: readonly number[];
  /** None: anything in the step. */
  readonly at?: RegExp;
  readonly why: string;
}

const offsets = "the offsets endpoints come later";

export const knownDifferences: readonly KnownDifference[] = [
  { case: "delete", steps: [12], why: offsets },
  { case: "flow-string", steps: [11, 12], why: offsets },
  { case: "lifecycle-unknown", steps: [10, 11], why: offsets },
];
