/** One record as transforms see it. */
import type { Schema } from "./schema.ts";
import { type ConnectValue, Tagged } from "./value.ts";

/** A value and what it may be; no schema = schemaless data. */
export interface Data {
  schema: Schema | null;
  value: ConnectValue;
}

/** Names may repeat, and their order counts. */
export interface Header extends Data {
  readonly name: string;
}

/** A header. A struct without a schema still has its own. */
export function headerOf(name: string, { schema, value }: Data): Header {
  const isStruct = schema === null && value instanceof Tagged && value.type === "struct";
  return isStruct ? { name, ...(value as Tagged<"struct">).content } : { name, schema, value };
}

/** 0 none, 1 when it was made, 2 when it was stored; as in the contract's columns. */
export type TimestampType = 0 | 1 | 2;

/**
 * A record between a converter and a plugin. Transforms change it in place. The map or struct that is its
 * key or value is the record's own and may be changed too; what is inside of that, and headers, may be
 * shared with other fields, headers and records, and is left as it is.
 */
export interface ConnectRecord {
  readonly kind: "source" | "sink";
  topic: string;
  /** null = the producer chooses. Sinks: what a transform set, not where it was read. */
  partition: number | null;
  /** Sinks: where it was read; sources: 0. */
  readonly offset: number | bigint;
  /** Milliseconds since the epoch. */
  timestamp: number | bigint | null;
  /** Sinks. */
  readonly timestampType: TimestampType;
  key: Data;
  value: Data;
  headers: Header[];
}
