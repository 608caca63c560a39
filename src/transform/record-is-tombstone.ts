import type { Predicate, PredicateFactory } from "./transform.ts";

/** Whether or not there is a schema. */
const isTombstone: Predicate = { test: ({ value }) => value.value === null };

/** `org.apache.kafka.connect.transforms.predicates.RecordIsTombstone` */
export const recordIsTombstone: PredicateFactory = {
  className: "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone",
  touches: ["value"],
  keys: [],
  create: () => isTombstone,
};
