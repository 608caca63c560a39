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

const topics = "the topics endpoints come later";
const offsets = "the offsets endpoints come later";

export const knownDifferences: readonly KnownDifference[] = [
  { case: "create-sink", steps: [4], why: topics },
  { case: "delete", steps: [12], why: offsets },
  { case: "flow-string", steps: [11, 12], why: offsets },
  { case: "flow-string", steps: [17, 18], why: topics },
  { case: "lifecycle-unknown", steps: [9], why: topics },
  { case: "lifecycle-unknown", steps: [10, 11], why: offsets },
  { case: "names-space", steps: [5], why: topics },
  { case: "names-unicode", steps: [5], why: topics },
];
