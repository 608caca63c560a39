/**
 * A value as its JSON text says it, read without loss. Together with a schema it is all that a
 * converter needs to know; there is no second tree of typed objects.
 */

import { javaDouble } from "./java-text.ts";
import type { Decimal } from "./logical.ts";
import type { Schema } from "./schema.ts";

/** A number with a point or an exponent. Its text is kept: a Decimal needs all the digits. */
export class Floating {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** As Java prints a double. */
  static of(value: number): Floating {
    return new Floating(javaDouble(value));
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

/** Also what JSON does not have: what transforms take and give. */
export type ConnectValue = JsonValue | Tagged | ConnectArray | ConnectObject;

export type ConnectArray = ConnectValue[];

export type ConnectObject = Map<string, ConnectValue>;

/**
 * A value whose class its place does not tell: without a schema anything that JSON would read as
 * something else (a Byte, a date), with a schema a value that is not of the schema's class.
 * `content` is as `ContentOf` says; `java-value.ts` makes and reads these.
 */
export class Tagged<T extends ValueType = ValueType> {
  readonly type: T;
  readonly content: ContentOf[T];

  constructor(type: T, content: ContentOf[T]) {
    this.type = type;
    this.content = content;
  }
}

/** The classes of values that Connect knows, and the two that only converters and transforms make. */
export type ValueType = keyof ContentOf;

/** What a value of a class is, once it is out of its place. */
export interface ContentOf {
  int8: number;
  int16: number;
  int32: number;
  /** A bigint only where a double would not hold it exactly. */
  int64: number | bigint;
  float32: number;
  float64: number;
  boolean: boolean;
  string: string;
  /** Base64 with padding. */
  bytes: string;
  /** java.math.BigDecimal */
  decimal: Decimal;
  /** java.math.BigInteger, which no schema has. */
  bigint: bigint;
  /** java.util.Date in milliseconds. */
  date: number | bigint;
  list: ConnectArray;
  /** Any keys; the items are without a schema, as those of `list`. */
  map: readonly (readonly [ConnectValue, ConnectValue])[];
  struct: StructContent;
}

/** A struct that brings its schema along. */
export interface StructContent {
  readonly schema: Schema;
  readonly value: ConnectObject;
}

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
