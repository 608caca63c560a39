import type { Transform, TransformFactory } from "./transform.ts";

/** Drops every record; a predicate says which. */
const dropAll: Transform = { apply: () => false };

/** `org.apache.kafka.connect.transforms.Filter` */
export const filter: TransformFactory = {
  className: "org.apache.kafka.connect.transforms.Filter",
  touches: [],
  keys: [],
  create: () => dropAll,
};
