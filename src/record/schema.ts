/** Connect's schemas: what a value may be, and what it is called. */
import type { JsonValue } from "./value.ts";

/** The names that JsonConverter uses. */
export const schemaTypes = [
  "int8",
  "int16",
  "int32",
  "int64",
  "float",
  "double",
  "boolean",
  "string",
  "bytes",
  "array",
  "map",
  "struct",
] as const;

export type SchemaType = (typeof schemaTypes)[number];

/** A struct's member. */
export interface Field {
  readonly name: string;
  readonly schema: Schema;
}

/** Two schemas with the same content are written as the same text; compare those. */
export interface Schema {
  readonly type: SchemaType;
  readonly optional: boolean;
  readonly name: string | null;
  readonly version: number | null;
  readonly doc: string | null;
  readonly parameters: ReadonlyMap<string, string> | null;
  /** As a canonical payload of this schema; null = none. */
  readonly default: JsonValue;
  /** Structs only, else empty. */
  readonly fields: readonly Field[];
  /** Maps only. null = unknown, as the header parser leaves it for mixed content. */
  readonly keys: Schema | null;
  /** A map's values or an array's items. null as in `keys`. */
  readonly values: Schema | null;
}

/** A schema with nothing but a type and what is given. */
export function newSchema(type: SchemaType, parts: Partial<Schema> = {}): Schema {
  return {
    type,
    optional: false,
    name: null,
    version: null,
    doc: null,
    parameters: null,
    default: null,
    fields: [],
    keys: null,
    values: null,
    ...parts,
  };
}

/** The type as Connect's messages spell it. */
export function javaTypeName({ type }: Schema): string {
  if (type === "float") return "FLOAT32";
  return type === "double" ? "FLOAT64" : type.toUpperCase();
}

/** Whether JsonConverter writes maps of this schema as objects. */
export function hasStringKeys({ keys }: Schema): boolean {
  return keys?.type === "string";
}
