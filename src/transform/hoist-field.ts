import type { ConnectRecord } from "../record/connect-record.ts";
import { newSchema, type Schema } from "../record/schema.ts";
import { validateField } from "../record/validate-value.ts";
import { plainRequired } from "./plain-key.ts";
import { SchemaCache } from "./schema-cache.ts";
import { keyAndValue, type Part, type Transform } from "./transform.ts";

/** Wraps the key or value, null as well, into a struct or map with one field. */
class HoistField implements Transform {
  readonly #part: Part;
  readonly #field: string;
  readonly #schemas = new SchemaCache<Schema>();

  constructor(part: Part, field: string) {
    this.#part = part;
    this.#field = field;
  }

  apply(record: ConnectRecord): boolean {
    const { schema, value } = record[this.#part];
    if (schema === null) {
      record[this.#part] = { schema, value: new Map([[this.#field, value]]) };
      return true;
    }
    const wrapped = this.#schemas.get(schema, (inner) =>
      newSchema("struct", { fields: [{ name: this.#field, schema: inner }] }),
    );
    validateField(this.#field, schema, value);
    record[this.#part] = { schema: wrapped, value: new Map([[this.#field, value]]) };
    return true;
  }
}

const keys = [
  plainRequired({
    name: "field",
    type: "STRING",
    importance: "MEDIUM",
    documentation: "The name of the one field of the struct or map.",
  }),
];

/** `org.apache.kafka.connect.transforms.HoistField` */
export const hoistField = keyAndValue(
  "HoistField",
  keys,
  (part, settings) => new HoistField(part, settings.text("field")),
);
