/** The classes of transforms and predicates, by the names that Connect accepts for them. */
import { castTransform } from "./cast.ts";
import { dropHeaders } from "./drop-headers.ts";
import { extractField } from "./extract-field.ts";
import { filter } from "./filter.ts";
import { flatten } from "./flatten.ts";
import { hasHeaderKey } from "./has-header-key.ts";
import { headerFrom } from "./header-from.ts";
import { hoistField } from "./hoist-field.ts";
import { insertField } from "./insert-field.ts";
import { insertHeader } from "./insert-header.ts";
import { maskField } from "./mask-field.ts";
import { recordIsTombstone } from "./record-is-tombstone.ts";
import { regexRouter } from "./regex-router.ts";
import { replaceField } from "./replace-field.ts";
import { setSchemaMetadata } from "./set-schema-metadata.ts";
import { timestampConverter } from "./timestamp-converter.ts";
import { timestampRouter } from "./timestamp-router.ts";
import { topicNameMatches } from "./topic-name-matches.ts";
import type {
  Predicate,
  PredicateFactory,
  StageFactory,
  Transform,
  TransformFactory,
} from "./transform.ts";
import { valueToKey } from "./value-to-key.ts";

/** Sorted by class name. */
export const transformFactories: readonly TransformFactory[] = [
  ...castTransform,
  dropHeaders,
  ...extractField,
  filter,
  ...flatten,
  ...headerFrom,
  ...hoistField,
  ...insertField,
  insertHeader,
  ...maskField,
  regexRouter,
  ...replaceField,
  ...setSchemaMetadata,
  ...timestampConverter,
  timestampRouter,
  valueToKey,
];

/** Sorted by class name. */
export const predicateFactories: readonly PredicateFactory[] = [
  hasHeaderKey,
  recordIsTombstone,
  topicNameMatches,
];

/** What a name in a config stands for. */
export type Lookup<T> =
  | { readonly at: "found"; readonly factory: StageFactory<T> }
  | { readonly at: "missing" }
  | { readonly at: "wrong"; readonly message: string };

/** By full name, or by simple name where the class is not a nested one. */
export function findTransform(name: string): Lookup<Transform> {
  return find(transformFactories, name);
}

/** As `findTransform`. */
export function findPredicate(name: string): Lookup<Predicate> {
  return find(predicateFactories, name);
}

function find<T>(factories: readonly StageFactory<T>[], name: string): Lookup<T> {
  const factory = factories.find(
    ({ className }) => className === name || simpleName(className) === name,
  );
  if (factory !== undefined) return { at: "found", factory };
  const nested = factories.filter(({ className }) => className.startsWith(`${name}$`));
  if (nested.length === 0) return { at: "missing" };
  const names = nested.map(({ className }) => className).join(", ");
  return {
    at: "wrong",
    message: `This class is abstract and cannot be created. Did you mean ${names}?`,
  };
}

/** A nested class has the name of its own part, which many share: no alias. */
function simpleName(className: string): string | undefined {
  return className.includes("$") ? undefined : className.slice(className.lastIndexOf(".") + 1);
}
