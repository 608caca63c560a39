/** One transform of a connector's chain, and how it is applied. */
import type { ConnectRecord } from "../record/connect-record.ts";
import type { Predicate, TouchedPart, Transform } from "./transform.ts";

/** Made by `createSteps`. */
export interface Step {
  readonly alias: string;
  /** The class that error reports name. */
  readonly className: string;
  readonly transform: Transform;
  readonly predicate: Predicate | null;
  readonly negate: boolean;
  /** What transform and predicate may look at or change. */
  readonly touches: readonly TouchedPart[];
}

/** What any of them touches; the other parts pass as they are. */
export function touchedBy(steps: readonly Step[]): ReadonlySet<TouchedPart> {
  return new Set(steps.flatMap(({ touches }) => touches));
}

/** How a chain goes through a task, for its log. */
export function planText(steps: readonly Step[]): string {
  const touched = touchedBy(steps);
  const parts = ["key", "value", "headers"] as const;
  const read = parts.filter((part) => touched.has(part));
  const rest = parts.filter((part) => !touched.has(part));
  const named = (names: readonly string[]) => names.join(" and ") || "nothing";
  return `${steps.length} transforms that read ${named(read)}; ${named(rest)} may pass as bytes`;
}

/** Applies one step if it is meant for the record; false drops the record. @throws RecordError */
export function applyStep(step: Step, record: ConnectRecord): boolean {
  return isMeant(step, record) ? step.transform.apply(record) : true;
}

/** By its predicate; false: the record passes by the step. @throws RecordError */
export function isMeant({ predicate, negate }: Step, record: ConnectRecord): boolean {
  return predicate === null || predicate.test(record) !== negate;
}
