/**
 * A value as its JSON text says it, read without loss. Together with a schema it is all that a
 * converter needs to know; there is no second tree of typed objects.
 */

/** A number with a point or an exponent. Its text is kept: a Decimal needs all the digits. */
export class Floating {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  get value(): number {
    return Number(this.text);
  }
}

/**
 * A `number` is always an integer that a double holds exactly; others are `bigint`. Objects are Maps
 * because a JavaScript object would put members with numbers for names first.
 */
export type JsonValue =
  | null
  | boolean
  | string
  | number
  | bigint
  | Floating
  | JsonArray
  | JsonObject;

/** The items of a JSON array. */
export type JsonArray = JsonValue[];

/** The members of a JSON object in the order of the text; of equal names the last value wins. */
export type JsonObject = Map<string, JsonValue>;

/** The Java class that Connect's messages would name for such a value without a schema. */
export function javaClassOf(value: JsonValue): string {
  if (typeof value === "string") return "class java.lang.String";
  if (typeof value === "boolean") return "class java.lang.Boolean";
  if (typeof value === "number" || typeof value === "bigint") return "class java.lang.Long";
  if (value instanceof Floating) return "class java.lang.Double";
  if (Array.isArray(value)) return "class java.util.ArrayList";
  return "class java.util.HashMap";
}

/** The kind of JSON that Jackson's messages would name. */
export function jsonKindOf(value: JsonValue): string {
  if (value === null) return "NULL";
  if (typeof value === "string") return "STRING";
  if (typeof value === "boolean") return "BOOLEAN";
  if (Array.isArray(value)) return "ARRAY";
  return value instanceof Map ? "OBJECT" : "NUMBER";
}
