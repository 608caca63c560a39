import type { ConnectRecord, Data } from "../record/connect-record.ts";
import { invalid } from "../record/payload.ts";
import type { Field, Schema } from "../record/schema.ts";
import { validateField } from "../record/validate-value.ts";
import type { ConnectObject } from "../record/value.ts";
import { fieldOf, mapOf, structOf } from "./operand.ts";
import { nonEmptyList, plainRequired, replaceNullKey } from "./plain-key.ts";
import { SchemaCache } from "./schema-cache.ts";
import { fieldNamed, structLike } from "./struct-schema.ts";
import type { StageSettings, Transform, TransformFactory } from "./transform.ts";

const purpose = "copying fields from value to key";

/** Makes a key of some of the value's fields. */
class ValueToKey implements Transform {
  readonly #fields: readonly string[];
  readonly #replaceNull: boolean;
  readonly #schemas = new SchemaCache<Schema>();

  constructor(settings: StageSettings) {
    this.#fields = settings.list("fields");
    this.#replaceNull = settings.flag("replace.null.with.default");
  }

  apply(record: ConnectRecord): boolean {
    const { value } = record;
    record.key = value.schema === null ? this.#keyOfMap(value) : this.#keyOfStruct(value);
    return true;
  }

  #keyOfMap(value: Data): Data {
    const map = mapOf(value, purpose);
    const key: ConnectObject = new Map();
    for (const name of this.#fields) key.set(name, map.get(name) ?? null);
    return { schema: null, value: key };
  }

  #keyOfStruct(value: Data): Data {
    const struct = structOf(value, purpose);
    const schema = this.#schemas.get(struct.schema, (given) => this.#keySchema(given));
    const key: ConnectObject = new Map();
    for (const field of schema.fields) {
      const item = fieldOf(struct.value, field, this.#replaceNull);
      validateField(field.name, field.schema, item);
      key.set(field.name, item);
    }
    return { schema, value: key };
  }

  #keySchema(given: Schema): Schema {
    const fields: Field[] = [];
    let schema = structLike(null, fields);
    for (const name of this.#fields) {
      const field = fieldNamed(given, name);
      if (field === undefined) throw invalid(`Field does not exist: ${name}`);
      fields.push(field);
      // One by one: of a missing field and a repeated one the first is told.
      schema = structLike(null, fields);
    }
    return schema;
  }
}

/** `org.apache.kafka.connect.transforms.ValueToKey` */
export const valueToKey: TransformFactory = {
  className: "org.apache.kafka.connect.transforms.ValueToKey",
  touches: ["key", "value"],
  keys: [
    plainRequired(
      {
        name: "fields",
        type: "LIST",
        importance: "HIGH",
        documentation: "The value's fields that make the key.",
      },
      nonEmptyList,
    ),
    replaceNullKey,
  ],
  create: (settings) => new ValueToKey(settings),
};
