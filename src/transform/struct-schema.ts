/** Building a struct's schema as Connect's SchemaBuilder does. */
import { RecordError } from "../base/error.ts";
import { type Field, newSchema, type Schema } from "../record/schema.ts";

/**
 * A struct of these fields with the name, version, documentation and parameters of another schema; it is
 * required and has no default (SchemaUtil.copySchemaBasics).
 * @throws RecordError for a field without a name and for two of the same name
 */
export function structLike(basics: Schema | null, fields: readonly Field[]): Schema {
  const names = new Set<string>();
  for (const { name } of fields) {
    if (name === "") throw unbuildable("fieldName cannot be null.");
    if (names.has(name)) {
      throw unbuildable(`Cannot create field because of field name duplication ${name}`);
    }
    names.add(name);
  }
  if (basics === null) return newSchema("struct", { fields });
  const { name, version, doc, parameters } = basics;
  return newSchema("struct", { name, version, doc, parameters, fields });
}

/** What SchemaBuilder refuses. */
export function unbuildable(message: string): RecordError {
  return new RecordError("convert.schema_invalid", message);
}

/** A struct's field by its name. */
export function fieldNamed({ fields }: Schema, name: string): Field | undefined {
  for (const field of fields) if (field.name === name) return field;
  return undefined;
}
