/** Keys of transforms and predicates, whose classes give their ConfigDef little more than a name. */
import { JavaPattern } from "../base/java-pattern.ts";
import type { ConfigKey } from "../config/config-def.ts";
import { keyWith, requiredKey } from "../config/connector-keys.ts";
import type { CheckedKey, ParsedValue } from "../config/parse.ts";

type Shape = Pick<ConfigKey, "name" | "type" | "importance" | "documentation">;
type Extra = Partial<Pick<CheckedKey, "validator" | "check">>;

const bare = { group: null, order: -1, width: "NONE" } as const;

/** A key with a default; null is one as well. */
export function plainKey(shape: Shape, defaultValue: string | null, extra: Extra = {}): CheckedKey {
  return keyWith(defaultValue, { ...bare, displayName: shape.name, ...shape }, extra);
}

/** A key that must be given. */
export function plainRequired(shape: Shape, extra: Extra = {}): CheckedKey {
  return requiredKey({ ...bare, displayName: shape.name, ...shape }, extra);
}

/** Whether a null field reads as its schema's default (KIP-1040). */
export const replaceNullKey: CheckedKey = plainKey(
  {
    name: "replace.null.with.default",
    type: "BOOLEAN",
    importance: "MEDIUM",
    documentation: "Whether a null field that has a default is read as its default.",
  },
  "true",
);

/** For a LIST that has to have items. */
export const nonEmptyList: Extra = {
  check: (value: ParsedValue) =>
    Array.isArray(value) && value.length > 0 ? undefined : "Empty list",
};

/** For a key that may be empty but not null. */
export const nonNull: Extra = {
  check: (value: ParsedValue) => (value === null ? "entry must be non null" : undefined),
};

/** For a regular expression in Java's notation. */
export const regularExpression: Extra = { check: wrongExpression };

/** The same, which may not be empty either. */
export const nonEmptyExpression: Extra = {
  check: (value: ParsedValue) =>
    value === "" ? "String must be non-empty" : wrongExpression(value),
};

function wrongExpression(value: ParsedValue): string | undefined {
  if (typeof value !== "string") return "Invalid regex: it is null";
  try {
    new JavaPattern(value);
    return undefined;
  } catch (error) {
    return `Invalid regex: ${error instanceof Error ? error.message : String(error)}`;
  }
}
