/** `field:type` and bare types, as Cast's `spec` lists them. */
import type { ParsedValue } from "../config/parse.ts";
import { invalidValue } from "../config/parse.ts";
import type { SchemaType } from "../record/schema.ts";

/** Cast's names of the types, and a schema's. */
export const castTargets = {
  int8: "int8",
  int16: "int16",
  int32: "int32",
  int64: "int64",
  float32: "float",
  float64: "double",
  boolean: "boolean",
  string: "string",
} as const satisfies Readonly<Record<string, SchemaType>>;

export type CastTarget = keyof typeof castTargets;

/** One item of the list. */
export interface CastSpec {
  /** null = the whole key or value. */
  readonly field: string | null;
  readonly target: CastTarget;
}

/** Types of Connect's that are no targets. */
const otherTypes = ["bytes", "array", "map", "struct"];

/** What an item says, which was found in order before. */
export function castOf(text: string): CastSpec {
  const [first = "", second] = partsOf(text);
  const target = (second ?? first).trim().toLowerCase() as CastTarget;
  return { field: second === undefined ? null : first.trim(), target };
}

/** What is wrong with a list of them, in Connect's words; undefined if nothing is. */
export function wrongSpec(list: readonly string[]): { readonly sentence: string } | undefined {
  let isWhole = false;
  for (const text of list) {
    const parts = partsOf(text);
    if (parts.length > 2) {
      // Apache's class borrows the words, key and all, from ReplaceField.
      return {
        sentence: invalidValue("renames", list as ParsedValue, `Invalid rename mapping: ${text}`),
      };
    }
    if (parts.length === 1) isWhole = true;
    const wrong = wrongType((parts.at(-1) ?? "").trim());
    if (wrong !== undefined) return { sentence: wrong };
  }
  if (!isWhole || list.length === 1) return undefined;
  return {
    sentence:
      "Cast transformations that specify a type to cast the entire value to may only specify a single cast in their spec",
  };
}

function wrongType(name: string): string | undefined {
  const lower = name.toLowerCase();
  if (Object.hasOwn(castTargets, lower)) return undefined;
  if (otherTypes.includes(lower)) {
    return `Cast transformation does not support casting to ${name.toUpperCase()}; supported types are [INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING]`;
  }
  const missing = `java.lang.IllegalArgumentException: No enum constant org.apache.kafka.connect.data.Schema.Type.${name.toUpperCase()}`;
  return `Invalid value ${missing} for configuration Invalid type found in casting spec: ${name}`;
}

/** As Java's `split`: colons at the end do not count, and nothing at all is one empty part. */
function partsOf(text: string): readonly string[] {
  if (text === "") return [""];
  const parts = text.split(":");
  while (parts.length > 0 && parts.at(-1) === "") parts.pop();
  return parts;
}
