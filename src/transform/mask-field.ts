import type { ConnectRecord, Data } from "../record/connect-record.ts";
import { javaNameOf, typeOf, valueIn } from "../record/java-value.ts";
import { invalid } from "../record/payload.ts";
import type { Schema } from "../record/schema.ts";
import { validateField } from "../record/validate-value.ts";
import type { ConnectValue, ContentOf, ValueType } from "../record/value.ts";
import { inHashOrder } from "./java-hash.ts";
import { MaskText } from "./mask-text.ts";
import { changedStruct, mapValue, orDefault, ownMap, structOf } from "./operand.ts";
import { nonEmptyList, plainKey, plainRequired, replaceNullKey } from "./plain-key.ts";
import { keyAndValue, type Part, type StageSettings, type Transform } from "./transform.ts";

const purpose = "mask fields";

/** Puts nothing, or a given value, into the place of some fields' values. */
class MaskField implements Transform {
  readonly #part: Part;
  readonly #fields: ReadonlySet<string>;
  readonly #replacement: MaskText | null;
  readonly #replaceNull: boolean;

  constructor(part: Part, settings: StageSettings) {
    this.#part = part;
    this.#fields = new Set(inHashOrder([...new Set(settings.list("fields"))], (name) => name));
    const replacement = settings.textOrNull("replacement");
    this.#replacement = replacement === null ? null : new MaskText(replacement);
    this.#replaceNull = settings.flag("replace.null.with.default");
  }

  apply(record: ConnectRecord): boolean {
    const data = record[this.#part];
    const value = data.schema === null ? this.#maskedMap(data) : this.#maskedStruct(data);
    record[this.#part] = { schema: data.schema, value };
    return true;
  }

  /** A field that is not there is there afterwards, as null. */
  #maskedMap(data: Data): ConnectValue {
    const map = ownMap(data, purpose);
    for (const field of this.#fields) {
      map.set(field, this.#masked(null, map.get(field) ?? null));
    }
    return mapValue(map);
  }

  #maskedStruct(data: Data): ConnectValue {
    const { schema, value } = structOf(data, purpose);
    const masked = changedStruct(data, { schema, value });
    for (const field of schema.fields) {
      const given = value.get(field.name);
      const kept = orDefault(given, field.schema, this.#replaceNull);
      const item = this.#fields.has(field.name) ? this.#masked(field.schema, kept) : kept;
      validateField(field.name, field.schema, item);
      if (item !== given) masked.set(field.name, item);
    }
    return valueIn(data.schema, "struct", { schema, value: masked });
  }

  #masked(schema: Schema | null, value: ConnectValue): ConnectValue {
    const type = typeOf(schema, value);
    if (type === null) return null;
    const content = this.#replacement === null ? blanks[type] : this.#replacement.as(type);
    if (content !== undefined) return valueIn(schema, type, content);
    const javaName = javaNameOf(schema, value);
    throw invalid(
      this.#replacement === null
        ? `Cannot mask value of type: class ${javaName}`
        : `Cannot mask value of type class ${javaName} with custom replacement.`,
    );
  }
}

const blanks: Readonly<Partial<Record<ValueType, ContentOf[ValueType]>>> = {
  int8: 0,
  int16: 0,
  int32: 0,
  int64: 0,
  float32: 0,
  float64: 0,
  boolean: false,
  string: "",
  decimal: { unscaled: 0n, scale: 0 },
  bigint: 0n,
  date: 0,
  list: [],
  map: [],
};

const keys = [
  plainRequired(
    {
      name: "fields",
      type: "LIST",
      importance: "HIGH",
      documentation: "The fields to mask.",
    },
    nonEmptyList,
  ),
  plainKey(
    {
      name: "replacement",
      type: "STRING",
      importance: "LOW",
      documentation:
        "What takes the place of numbers and texts; where it is not set: 0, false, an empty text, list or map.",
    },
    null,
    { validator: { at: "non-empty" } },
  ),
  replaceNullKey,
];

/** `org.apache.kafka.connect.transforms.MaskField` */
export const maskField = keyAndValue(
  "MaskField",
  keys,
  (part, settings) => new MaskField(part, settings),
);
