/** What a Struct of Connect's refuses to hold (ConnectSchema.validateValue). */
import { javaNameOf, sameSchema, typeUnder } from "./java-value.ts";
import { invalid } from "./payload.ts";
import { javaTypeName, type Schema } from "./schema.ts";
import { type ConnectArray, type ConnectObject, type ConnectValue, Tagged } from "./value.ts";

/**
 * Passes what may be put into a field of a struct.
 * @throws RecordError with Connect's text
 */
export function validateField(name: string, schema: Schema, value: ConnectValue): void {
  if (!isPlainlyValid(schema, value)) validateValue(`field: "${name}"`, schema, value);
}

/** Nearly every field: a leaf in its place, which a struct holds without a question. */
function isPlainlyValid({ type, optional }: Schema, value: ConnectValue): boolean {
  if (value === null) return optional;
  if (value instanceof Tagged) return false;
  return type !== "struct" && type !== "array" && type !== "map";
}

/** Passes a struct whose required fields are there (`Struct.validate`). @throws RecordError */
export function validateStruct(schema: Schema, struct: ConnectObject): void {
  for (const { name, schema: field } of schema.fields) {
    const value = struct.get(name) ?? null;
    if (value === null && (field.optional || field.default !== null)) continue;
    validateField(name, field, value);
  }
}

function validateValue(place: string, schema: Schema, value: ConnectValue): void {
  if (value === null) {
    if (schema.optional) return;
    throw invalid(
      `Invalid value: null used for required ${place}, schema type: ${javaTypeName(schema)}`,
    );
  }
  if (value instanceof Tagged) {
    if (value.type === typeUnder(schema) && schema.type !== "struct") return;
    if (value.type === "struct" && schema.type === "struct") {
      if (sameSchema((value as Tagged<"struct">).content.schema, schema)) return;
      throw invalid("Struct schemas do not match.");
    }
    const named = schema.name === null ? "schema" : `schema "${schema.name}"`;
    throw invalid(
      `Invalid Java object for ${named} with type ${javaTypeName(schema)}: class ${javaNameOf(schema, value)} for ${place}`,
    );
  }
  validateParts(place, schema, value);
}

function validateParts(place: string, schema: Schema, value: ConnectValue): void {
  const { keys, values } = schema;
  if (schema.type === "array" && values !== null) {
    for (const item of value as ConnectArray) {
      validateValue(`element of array ${place}`, values, item);
    }
  }
  if (schema.type === "struct") validateStruct(schema, value as ConnectObject);
  if (schema.type !== "map") return;
  const pairs = value instanceof Map ? value : (value as unknown as [ConnectValue, ConnectValue][]);
  for (const [key, item] of pairs) {
    if (keys !== null) validateValue(`key of map ${place}`, keys, key);
    if (values !== null) validateValue(`value of map ${place}`, values, item);
  }
}
