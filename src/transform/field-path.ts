/**
 * Names of fields in configs: one field, or a path into nested ones (`field.syntax.version` V2, KIP-821).
 */
import { ConfigError } from "../base/error.ts";
import type { Data } from "../record/connect-record.ts";
import { javaError } from "../record/java-error.ts";
import { invalid } from "../record/payload.ts";
import type { Field, Schema } from "../record/schema.ts";
import type { ConnectValue, StructContent } from "../record/value.ts";
import { fieldOf, mapOf, structOf } from "./operand.ts";
import { plainKey } from "./plain-key.ts";
import { fieldNamed } from "./struct-schema.ts";

/** Which of the two notations a config uses. */
export const fieldSyntaxKey = plainKey(
  {
    name: "field.syntax.version",
    type: "STRING",
    importance: "HIGH",
    documentation:
      "V1: a name is the name of a field. V2: dots lead into nested fields; a name with dots of its own stands in backticks.",
  },
  "V1",
  { validator: { at: "one-of", values: ["V1", "V2"], caseInsensitive: true } },
);

const nested = "nested field access";

/** One field, wherever it is. */
export class FieldPath {
  /** As the config has it. */
  readonly text: string;
  readonly #steps: readonly string[];

  /** @throws ConfigError for a path whose backticks do not pair */
  constructor(text: string, syntax: string) {
    this.text = text;
    this.#steps = syntax.toUpperCase() === "V2" ? stepsOf(text) : [text];
  }

  /**
   * The field that a schema has there; undefined if it has none.
   * @throws RecordError where a step leads into what is no struct
   */
  fieldIn(schema: Schema): Field | undefined {
    let at = schema;
    for (const step of this.#leading()) {
      const field = fieldNamed(structSchema(at), step);
      if (field === undefined) return undefined;
      at = field.schema;
    }
    return fieldNamed(structSchema(at), this.#last());
  }

  /** What is there, under the schema of `fieldIn`; null where a struct on the way is null. @throws RecordError */
  readStruct(struct: StructContent, replaceNull: boolean): ConnectValue {
    let at = struct;
    for (const step of this.#leading()) {
      const field = fieldNamed(at.schema, step);
      if (field === undefined) return null;
      const value = fieldOf(at.value, field, replaceNull);
      if (value === null) return null;
      at = structOf({ schema: field.schema, value }, nested);
    }
    const field = fieldNamed(at.schema, this.#last());
    return field === undefined ? null : fieldOf(at.value, field, replaceNull);
  }

  /** What is there in a map without schema; null where nothing is. @throws RecordError */
  readMap(data: Data, purpose: string): ConnectValue {
    let at = mapOf(data, purpose);
    for (const step of this.#leading()) {
      const value = at.get(step) ?? null;
      if (value === null) return null;
      at = mapOf({ schema: null, value }, nested);
    }
    return at.get(this.#last()) ?? null;
  }

  #leading(): readonly string[] {
    // An empty path is found out with the first record; the words are Java's.
    if (this.#steps.length === 0) {
      throw javaError("IllegalArgumentException", "fromIndex(0) > toIndex(-1)");
    }
    return this.#steps.slice(0, -1);
  }

  #last(): string {
    return this.#steps.at(-1) ?? "";
  }
}

function structSchema(schema: Schema): Schema {
  if (schema.type === "struct") return schema;
  throw invalid("Cannot look up fields on non-struct type");
}

/** Splits at dots, but for those in backticks. */
function stepsOf(path: string): readonly string[] {
  const steps: string[] = [];
  let start = 0;
  while (start < path.length) {
    const { step, end } = path[start] === "`" ? quoted(path, start) : plain(path, start);
    steps.push(step);
    start = end + 1;
    // A dot at the end has an empty name behind it.
    if (end === path.length - 1) steps.push("");
  }
  return steps;
}

/** `end` is the dot behind the step, or the length. */
function plain(path: string, start: number): { step: string; end: number } {
  const dot = path.indexOf(".", start);
  const end = dot < 0 ? path.length : dot;
  return { step: path.slice(start, end), end };
}

/**
 * A backtick closes only before a dot or at the end; a backslash before such a one makes it part of the
 * name. All others are part of the name as they are.
 */
function quoted(path: string, start: number): { step: string; end: number } {
  let step = "";
  let from = start + 1;
  for (let at = path.indexOf("`", from); at >= 0; at = path.indexOf("`", at + 1)) {
    const next = path[at + 1];
    if (next !== undefined && next !== ".") continue;
    if (path[at - 1] !== "\\") return { step: step + path.slice(from, at), end: at + 1 };
    step += `${path.slice(from, at - 1)}\``;
    from = at + 1;
  }
  throw new ConfigError(
    "config.invalid",
    `Incomplete backtick pair in path: [${path}], consider adding a backslash before backtick at position ${start} to escape it`,
  );
}
