import type { Decimal } from "./decimal.ts";

export type SchemaType =
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "float"
  | "double"
  | "boolean"
  | "string"
  | "bytes"
  | "array"
  | "map"
  | "struct";

/** What may be said of any schema. Without `optional` a value is required. */
export interface SchemaOptions {
  optional?: boolean;
  name?: string;
  version?: number;
  doc?: string;
  parameters?: Readonly<Record<string, string>>;
  default?: unknown;
}

/** A Kafka Connect schema. Make one with `schema`, once, and use it for all records: it is frozen. */
export interface Schema {
  readonly type: SchemaType;
  readonly optional: boolean;
  readonly name?: string;
  readonly version?: number;
  readonly doc?: string;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly default?: unknown;
  /** Of a struct, in order. */
  readonly fields?: readonly SchemaField[];
  /** Of an array. A schema read from Kafka may lack it. */
  readonly items?: Schema | null;
  /** Of a map. */
  readonly keys?: Schema | null;
  readonly values?: Schema | null;
}

export interface SchemaField {
  readonly field: string;
  readonly schema: Schema;
}

const logical = "org.apache.kafka.connect.data.";

/** Names of the logical types. */
export const logicalName = {
  date: `${logical}Date`,
  time: `${logical}Time`,
  timestamp: `${logical}Timestamp`,
  decimal: `${logical}Decimal`,
} as const;

function make(
  type: SchemaType,
  options: SchemaOptions,
  parts: Pick<Schema, "fields" | "items" | "keys" | "values"> = {},
): Schema {
  const { optional = false, ...rest } = options;
  return Object.freeze({ type, optional, ...rest, ...parts });
}

type Options = Omit<SchemaOptions, "default">;
type NumberOptions = Options & { default?: number };
type IntegerOptions = Options & { default?: number | bigint };
type LogicalOptions<T> = Pick<SchemaOptions, "optional" | "doc"> & { default?: T };

/** Builders for schemas: `schema.struct({ id: schema.int64(), name: schema.string({ optional: true }) })`. */
export const schema = {
  int8: (options: NumberOptions = {}): Schema => make("int8", options),
  int16: (options: NumberOptions = {}): Schema => make("int16", options),
  int32: (options: NumberOptions = {}): Schema => make("int32", options),
  int64: (options: IntegerOptions = {}): Schema => make("int64", options),
  float: (options: NumberOptions = {}): Schema => make("float", options),
  double: (options: NumberOptions = {}): Schema => make("double", options),
  boolean: (options: Options & { default?: boolean } = {}): Schema => make("boolean", options),
  string: (options: Options & { default?: string } = {}): Schema => make("string", options),
  bytes: (options: Options & { default?: Uint8Array } = {}): Schema => make("bytes", options),
  array: (items: Schema, options: SchemaOptions = {}): Schema => make("array", options, { items }),
  map: (keys: Schema, values: Schema, options: SchemaOptions = {}): Schema =>
    make("map", options, { keys, values }),
  struct: (fields: Readonly<Record<string, Schema>>, options: SchemaOptions = {}): Schema =>
    make("struct", options, {
      fields: Object.freeze(
        Object.entries(fields).map(([field, of]) => Object.freeze({ field, schema: of })),
      ),
    }),
  /** Days, as a JavaScript Date at midnight UTC. */
  date: (options: LogicalOptions<Date> = {}): Schema =>
    make("int32", { ...options, name: logicalName.date, version: 1 }),
  /** Milliseconds of the day, as a JavaScript Date on 1 January 1970 UTC. */
  time: (options: LogicalOptions<Date> = {}): Schema =>
    make("int32", { ...options, name: logicalName.time, version: 1 }),
  /** Milliseconds since the epoch, as a JavaScript Date. */
  timestamp: (options: LogicalOptions<Date> = {}): Schema =>
    make("int64", { ...options, name: logicalName.timestamp, version: 1 }),
  /** Decimal numbers of any size with a fixed number of digits behind the point. */
  decimal: (scale: number, options: LogicalOptions<Decimal> = {}): Schema =>
    make("bytes", {
      ...options,
      name: logicalName.decimal,
      version: 1,
      parameters: { scale: String(scale) },
    }),
};
