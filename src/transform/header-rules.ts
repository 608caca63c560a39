/** What ConnectHeaders lets into a record, with Connect's texts. */
import type { ConnectRecord, Header } from "../record/connect-record.ts";
import { typeOf, typeUnder } from "../record/java-value.ts";
import { invalid } from "../record/payload.ts";
import { javaTypeName, type Schema, type SchemaType } from "../record/schema.ts";
import { shownValue } from "../record/shown-value.ts";
import type { ConnectValue, ValueType } from "../record/value.ts";

/**
 * Passes a value that a header with this schema may have. Less than a struct asks for: a date's schema
 * takes the bare number too, and what is inside of lists, maps and structs is not looked at.
 * @throws RecordError
 */
export function checkHeader(schema: Schema | null, value: ConnectValue): void {
  if (schema === null) return;
  const type = typeOf(schema, value);
  if (type === null) {
    if (schema.optional) return;
    throw invalid(`A null value requires an optional schema but was ${shownSchema(schema)}`);
  }
  if (type === plainTypes[schema.type] || type === typeUnder(schema)) return;
  throw invalid(
    `The value ${shownValue(value)} is not compatible with the schema ${shownSchema(schema)}`,
  );
}

/** A list of its own that holds the record's headers: the record's may be shared. */
export function copyOfHeaders({ headers }: ConnectRecord): Header[] {
  return headers.slice();
}

const plainTypes: Readonly<Record<SchemaType, ValueType>> = {
  int8: "int8",
  int16: "int16",
  int32: "int32",
  int64: "int64",
  float: "float32",
  double: "float64",
  boolean: "boolean",
  string: "string",
  bytes: "bytes",
  array: "list",
  map: "map",
  struct: "struct",
};

/** As a schema prints itself. */
function shownSchema(schema: Schema): string {
  const type = javaTypeName(schema);
  return schema.name === null ? `Schema{${type}}` : `Schema{${schema.name}:${type}}`;
}
