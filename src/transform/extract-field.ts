import type { ConnectRecord, Data } from "../record/connect-record.ts";
import { javaError } from "../record/java-error.ts";
import type { Field, Schema } from "../record/schema.ts";
import { FieldPath, fieldSyntaxKey } from "./field-path.ts";
import { owned, structOf } from "./operand.ts";
import { plainRequired, replaceNullKey } from "./plain-key.ts";
import { SchemaCache } from "./schema-cache.ts";
import { keyAndValue, type Part, type StageSettings, type Transform } from "./transform.ts";

const purpose = "field extraction";

/** Puts one field into the place of the key or value that has it. */
class ExtractField implements Transform {
  readonly #part: Part;
  readonly #path: FieldPath;
  readonly #replaceNull: boolean;
  readonly #fields = new SchemaCache<Field>();

  constructor(part: Part, settings: StageSettings) {
    this.#part = part;
    this.#path = new FieldPath(settings.text("field"), settings.text("field.syntax.version"));
    this.#replaceNull = settings.flag("replace.null.with.default");
  }

  apply(record: ConnectRecord): boolean {
    const data = record[this.#part];
    record[this.#part] =
      data.schema === null ? this.#fromMap(data) : this.#fromStruct(data, data.schema);
    return true;
  }

  #fromMap(data: Data): Data {
    if (data.value === null) return data;
    return { schema: null, value: owned(this.#path.readMap(data, purpose)) };
  }

  #fromStruct(data: Data, schema: Schema): Data {
    const struct = data.value === null ? null : structOf(data, purpose);
    const field = this.#fields.get(schema, (from) => this.#find(from));
    const value = struct === null ? null : this.#path.readStruct(struct, this.#replaceNull);
    return { schema: field.schema, value: owned(value) };
  }

  #find(schema: Schema): Field {
    const field = this.#path.fieldIn(schema);
    if (field !== undefined) return field;
    throw javaError("IllegalArgumentException", `Unknown field: ${this.#path.text}`);
  }
}

const keys = [
  plainRequired({
    name: "field",
    type: "STRING",
    importance: "MEDIUM",
    documentation: "The field that becomes the key or value.",
  }),
  replaceNullKey,
  fieldSyntaxKey,
];

/** `org.apache.kafka.connect.transforms.ExtractField` */
export const extractField = keyAndValue(
  "ExtractField",
  keys,
  (part, settings) => new ExtractField(part, settings),
);
