import { ConfigError } from "../base/error.ts";
import type { ConnectRecord } from "../record/connect-record.ts";
import { contentOf, typeOf } from "../record/java-value.ts";
import { invalid } from "../record/payload.ts";
import type { Schema } from "../record/schema.ts";
import { validateField } from "../record/validate-value.ts";
import type { ConnectObject } from "../record/value.ts";
import { fieldOf } from "./operand.ts";
import { plainKey, replaceNullKey } from "./plain-key.ts";
import { SchemaCache } from "./schema-cache.ts";
import { fieldNamed } from "./struct-schema.ts";
import { keyAndValue, type Part, type StageSettings, type Transform } from "./transform.ts";

/** Gives the schema of the key or value another name or version. */
class SetSchemaMetadata implements Transform {
  readonly #part: Part;
  readonly #name: string | null;
  readonly #version: number | null;
  readonly #replaceNull: boolean;
  readonly #schemas = new SchemaCache<Schema>();

  constructor(part: Part, settings: StageSettings) {
    this.#part = part;
    this.#name = settings.textOrNull("schema.name");
    this.#version = settings.integerOrNull("schema.version");
    this.#replaceNull = settings.flag("replace.null.with.default");
    if (this.#name === null && this.#version === null) {
      throw new ConfigError("config.invalid", "Neither schema name nor version configured");
    }
  }

  apply(record: ConnectRecord): boolean {
    const { schema: given, value } = record[this.#part];
    if (given === null) {
      if (value === null) return true;
      throw invalid("Schema required for [updating schema metadata]");
    }
    // Apache's class asks for the fields before it looks at the type.
    if (given.type !== "struct") throw invalid("Cannot list fields on non-struct type");
    const schema = this.#schemas.get(given, (from) => ({
      ...from,
      name: this.#name ?? from.name,
      version: this.#version ?? from.version,
    }));
    if (typeOf(given, value) !== "struct") {
      record[this.#part] = { schema, value };
      return true;
    }
    const struct = contentOf("struct", given, value);
    const rebuilt: ConnectObject = new Map();
    for (const { name, schema: field } of schema.fields) {
      const own = fieldNamed(struct.schema, name);
      if (own === undefined) throw invalid(`${name} is not a valid field name`);
      const item = fieldOf(struct.value, own, this.#replaceNull);
      validateField(name, field, item);
      rebuilt.set(name, item);
    }
    record[this.#part] = { schema, value: rebuilt };
    return true;
  }
}

const keys = [
  plainKey(
    {
      name: "schema.name",
      type: "STRING",
      importance: "HIGH",
      documentation: "The name to give to the schema.",
    },
    null,
  ),
  plainKey(
    {
      name: "schema.version",
      type: "INT",
      importance: "HIGH",
      documentation: "The version to give to the schema.",
    },
    null,
  ),
  replaceNullKey,
];

/** `org.apache.kafka.connect.transforms.SetSchemaMetadata` */
export const setSchemaMetadata = keyAndValue(
  "SetSchemaMetadata",
  keys,
  (part, settings) => new SetSchemaMetadata(part, settings),
);
