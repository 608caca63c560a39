import { ConfigError } from "../base/error.ts";
import type { ConnectRecord } from "../record/connect-record.ts";
import { valueIn } from "../record/java-value.ts";
import { logicalName } from "../record/logical.ts";
import { invalid } from "../record/payload.ts";
import { type Field, newSchema, type Schema } from "../record/schema.ts";
import { validateField } from "../record/validate-value.ts";
import type { ConnectValue } from "../record/value.ts";
import { changedStruct, mapValue, orDefault, ownMap, structOf } from "./operand.ts";
import { plainKey, replaceNullKey } from "./plain-key.ts";
import { SchemaCache } from "./schema-cache.ts";
import { structLike } from "./struct-schema.ts";
import { keyAndValue, type Part, type StageSettings, type Transform } from "./transform.ts";

const purpose = "field insertion";

/** What can be inserted, in Connect's order. */
const sources = ["topic", "partition", "offset", "timestamp", "static"] as const;
type Source = (typeof sources)[number];

interface Insertion {
  readonly source: Source;
  readonly name: string;
  readonly schema: Schema;
}

/** Adds what is known of the record, or a given text, to its key or value. */
class InsertField implements Transform {
  readonly #part: Part;
  readonly #insertions: readonly Insertion[];
  readonly #staticValue: string | null;
  readonly #replaceNull: boolean;
  readonly #schemas = new SchemaCache<Schema>();

  constructor(part: Part, settings: StageSettings) {
    this.#part = part;
    this.#insertions = sources.flatMap((source) => {
      const spec = settings.textOrNull(`${source}.field`);
      return spec === null ? [] : [insertionOf(source, spec)];
    });
    if (this.#insertions.length === 0) {
      throw new ConfigError("config.invalid", "No field insertion configured");
    }
    this.#staticValue = settings.textOrNull("static.value");
    if (this.#staticValue === null && this.#insertions.some(({ source }) => source === "static")) {
      // Java prints the object there.
      throw new ConfigError(
        "config.invalid",
        "Invalid value null for configuration static.value: No value specified for static field: org.apache.kafka.connect.transforms.InsertField$InsertionSpec@?",
      );
    }
    this.#replaceNull = settings.flag("replace.null.with.default");
  }

  apply(record: ConnectRecord): boolean {
    const { schema, value } = record[this.#part];
    if (value === null) return true;
    if (schema === null) this.#intoMap(record);
    else this.#intoStruct(record);
    return true;
  }

  #intoMap(record: ConnectRecord): void {
    const map = ownMap(record[this.#part], purpose);
    for (const { source, name } of this.#insertions) {
      const value = this.#plainValue(source, record);
      if (value !== null) map.set(name, value);
    }
    record[this.#part] = { schema: null, value: mapValue(map) };
  }

  #plainValue(source: Source, record: ConnectRecord): ConnectValue {
    const value = this.#valueOf(source, record);
    if (source === "partition" && value !== null) return valueIn(null, "int32", Number(value));
    return value;
  }

  #intoStruct(record: ConnectRecord): void {
    const data = record[this.#part];
    const struct = structOf(data, purpose);
    const schema = this.#schemas.get(struct.schema, (given) => this.#extended(given));
    const extended = changedStruct(data, struct);
    for (const field of struct.schema.fields) {
      const given = struct.value.get(field.name);
      const value = orDefault(given, field.schema, this.#replaceNull);
      validateField(field.name, field.schema, value);
      if (value !== given) extended.set(field.name, value);
    }
    for (const { source, name } of this.#insertions) {
      const value = this.#valueOf(source, record);
      if (value !== null) extended.set(name, value);
    }
    record[this.#part] = { schema, value: extended };
  }

  #extended(given: Schema): Schema {
    const inserted = this.#insertions.map(({ name, schema }): Field => ({ name, schema }));
    return structLike(given, [...given.fields, ...inserted]);
  }

  #valueOf(source: Source, record: ConnectRecord): string | number | bigint | null {
    switch (source) {
      case "topic":
        return record.topic;
      case "partition":
        return record.partition;
      case "offset":
        if (record.kind === "sink") return record.offset;
        throw invalid(
          `Only SinkRecord supported for [${purpose}], found: org.apache.kafka.connect.source.SourceRecord`,
        );
      case "timestamp":
        return record.timestamp;
      case "static":
        return this.#staticValue;
    }
  }
}

/** A name, perhaps with a mark: `!` for required, `?` for optional, which is the default. */
function insertionOf(source: Source, spec: string): Insertion {
  const isMarked = spec.endsWith("!") || spec.endsWith("?");
  const optional = !spec.endsWith("!");
  const name = isMarked ? spec.slice(0, -1) : spec;
  return { source, name, schema: { ...schemas[source], optional } };
}

const schemas: Readonly<Record<Source, Schema>> = {
  topic: newSchema("string"),
  partition: newSchema("int32"),
  offset: newSchema("int64"),
  timestamp: newSchema("int64", { name: logicalName.timestamp, version: 1 }),
  static: newSchema("string"),
};

const marks = "A '!' behind the name makes the field required, a '?' (the default) optional.";

function fieldKey(source: Source, what: string) {
  return plainKey(
    {
      name: `${source}.field`,
      type: "STRING",
      importance: "MEDIUM",
      documentation: `The field for ${what}. ${marks}`,
    },
    null,
  );
}

const keys = [
  fieldKey("topic", "the topic"),
  fieldKey("partition", "the partition"),
  fieldKey("offset", "the offset, which only records of sinks have"),
  fieldKey("timestamp", "the timestamp"),
  fieldKey("static", "a text that is always the same"),
  plainKey(
    {
      name: "static.value",
      type: "STRING",
      importance: "MEDIUM",
      documentation: "That text.",
    },
    null,
  ),
  replaceNullKey,
];

/** `org.apache.kafka.connect.transforms.InsertField` */
export const insertField = keyAndValue(
  "InsertField",
  keys,
  (part, settings) => new InsertField(part, settings),
);
