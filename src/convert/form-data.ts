/** From a form of the contract to a value with its schema, for whoever changes or shows records. */
import { floatingOf, wrongClass } from "../record/canonical-json.ts";
import type { Form } from "../record/columns.ts";
import type { Data } from "../record/connect-record.ts";
import { invalid, readPayload } from "../record/payload.ts";
import { hasStringKeys, type Schema } from "../record/schema.ts";
import { type ConnectValue, type JsonObject, type JsonValue, Tagged } from "../record/value.ts";
import { formValue, schemaOf } from "./form-value.ts";

/** Reads values of one form. Its schema is one object for all of them, so caches go by identity. */
export class FormData {
  readonly #form: Form;
  readonly schema: Schema | null;

  /** @throws RecordError for a schema that cannot be read */
  constructor(form: Form) {
    this.#form = form;
    this.schema = schemaOf(form);
  }

  /**
   * The value in a run of bytes; start = -1: null under this form's schema.
   * @throws RecordError with Connect's text where it is not what the form says
   */
  read(arena: Uint8Array, start: number, end: number): Data {
    const { schema } = this;
    return { schema, value: start < 0 ? null : this.#value(arena, start, end) };
  }

  #value(arena: Uint8Array, start: number, end: number): ConnectValue {
    const { schema } = this;
    const value = formValue(this.#form, arena, start, end);
    if (schema === null) {
      if (this.#form.encoding === "bytes") return new Tagged("bytes", value as string);
      return readPayload(null, value, { replaceNull: false });
    }
    if (value === null) return null;
    return shaped(schema, value);
  }
}

/**
 * A payload whose parts are of the classes that its schema has there, so that no step after it meets
 * anything else; members that a struct lacks are null in it. Bytes are decoded by whoever reads them.
 */
function shaped(schema: Schema, value: JsonValue): JsonValue {
  switch (schema.type) {
    case "array":
      if (!Array.isArray(value)) throw wrongClass(schema, value);
      if (schema.values !== null) shapeItems(schema.values, value);
      return value;
    case "map":
      shapeMap(schema, value);
      return value;
    case "struct":
      if (!(value instanceof Map)) throw wrongClass(schema, value);
      shapeFields(schema, value);
      return value;
    default:
      if (!isLeafOf(schema.type, value)) throw wrongClass(schema, value);
      return value;
  }
}

function isLeafOf(type: Schema["type"], value: JsonValue): boolean {
  switch (type) {
    case "int8":
      return typeof value === "number" && value >= -0x80 && value <= 0x7f;
    case "int16":
      return typeof value === "number" && value >= -0x8000 && value <= 0x7fff;
    case "int32":
      return typeof value === "number" && value === (value | 0);
    case "int64":
      return (
        typeof value === "number" ||
        (typeof value === "bigint" && value === BigInt.asIntN(64, value))
      );
    case "float":
    case "double":
      return floatingOf(value) !== undefined;
    case "boolean":
      return typeof value === "boolean";
    default:
      return typeof value === "string";
  }
}

function shapeItems(schema: Schema, items: readonly JsonValue[]): void {
  for (const item of items) if (item !== null) shaped(schema, item);
}

function shapeMap(schema: Schema, value: JsonValue): void {
  const { keys, values } = schema;
  if (hasStringKeys(schema)) {
    if (!(value instanceof Map)) throw wrongClass(schema, value);
    if (values !== null) shapeItems(values, [...value.values()]);
    return;
  }
  if (!Array.isArray(value)) throw wrongClass(schema, value);
  for (const pair of value) {
    if (!Array.isArray(pair) || pair.length !== 2) throw wrongClass(schema, pair);
    const [key, item] = pair as unknown as readonly [JsonValue, JsonValue];
    if (keys !== null && key !== null) shaped(keys, key);
    if (values !== null && item !== null) shaped(values, item);
  }
}

function shapeFields(schema: Schema, struct: JsonObject): void {
  let found = 0;
  for (const { name, schema: field } of schema.fields) {
    const member = struct.get(name);
    if (member === undefined) struct.set(name, null);
    else if (member !== null) shaped(field, member);
    found += 1;
  }
  if (found === struct.size) return;
  const known = new Set(schema.fields.map((field) => field.name));
  const name = [...struct.keys()].find((each) => !known.has(each));
  throw invalid(`${name} is not a valid field name`);
}
