import type { ConnectRecord, Data } from "../record/connect-record.ts";
import { javaNameOf, typeOf } from "../record/java-value.ts";
import { invalid } from "../record/payload.ts";
import { type Field, javaTypeName, type Schema } from "../record/schema.ts";
import { validateField } from "../record/validate-value.ts";
import type {
  ConnectObject,
  ConnectValue,
  JsonObject,
  JsonValue,
  StructContent,
} from "../record/value.ts";
import { copyOfMap, structOf, textKey } from "./operand.ts";
import { plainKey } from "./plain-key.ts";
import { SchemaCache } from "./schema-cache.ts";
import { structLike } from "./struct-schema.ts";
import { keyAndValue, type Part, type Transform } from "./transform.ts";

const purpose = "flattening";

/** What structs of one schema become. */
interface Flat {
  readonly schema: Schema;
  readonly fields: ReadonlyMap<string, Schema>;
}

/** Brings the fields of nested structs or maps to the top, under names made of all names on the way. */
class Flatten implements Transform {
  readonly #part: Part;
  readonly #delimiter: string;
  readonly #schemas = new SchemaCache<Flat>();

  constructor(part: Part, delimiter: string) {
    this.#part = part;
    this.#delimiter = delimiter;
  }

  apply(record: ConnectRecord): boolean {
    const data = record[this.#part];
    const { schema, value } = data;
    if (value === null) return true;
    if (schema === null) {
      const flat: ConnectObject = new Map();
      this.#flattenMap(data, "", flat);
      record[this.#part] = { schema: null, value: flat };
      return true;
    }
    const struct = structOf(data, purpose);
    const target = this.#schemas.get(schema, (given) => this.#flatSchema(given));
    const flat: ConnectObject = new Map();
    this.#flattenStruct(struct, "", flat, target);
    record[this.#part] = { schema: target.schema, value: flat };
    return true;
  }

  #name(prefix: string, name: string): string {
    return prefix === "" ? name : prefix + this.#delimiter + name;
  }

  #flattenMap(data: Data, prefix: string, into: ConnectObject): void {
    for (const [key, value] of copyOfMap(data, purpose)) {
      const name = this.#name(prefix, textKey(key));
      switch (typeOf(null, value)) {
        case "map":
          this.#flattenMap({ schema: null, value }, name, into);
          break;
        case "date":
        case "decimal":
        case "bigint":
          throw invalid(
            `Flatten transformation was passed a value of type class ${javaNameOf(null, value)} which is not supported by Connect's data API`,
          );
        case "struct":
          throw invalid(
            `Flatten transformation does not support class ${javaNameOf(null, value)} for record without schemas (for field ${name}).`,
          );
        default:
          into.set(name, value);
      }
    }
  }

  #flatSchema(schema: Schema): Flat {
    const fields: Field[] = [];
    this.#gather(schema, "", schema.optional, schema.default, fields);
    const byName = new Map(fields.map((field) => [field.name, field.schema]));
    return { schema: structLike(schema, fields), fields: byName };
  }

  /** Whatever is optional, or has a default, hands it down to its fields. */
  #gather(
    schema: Schema,
    prefix: string,
    optional: boolean,
    parentDefault: JsonValue,
    into: Field[],
  ): void {
    for (const field of schema.fields) {
      const name = this.#name(prefix, field.name);
      const isOptional = optional || field.schema.optional;
      const given = field.schema.default;
      const handedDown =
        parentDefault === null ? null : ((parentDefault as JsonObject).get(field.name) ?? null);
      const own = given ?? handedDown;
      if (field.schema.type === "struct") {
        this.#gather(field.schema, name, isOptional, own, into);
      } else if (field.schema.type === "map") {
        throw invalid(
          `Flatten transformation does not support ${javaTypeName(field.schema)} for record with schemas (for field ${name}).`,
        );
      } else {
        into.push({ name, schema: { ...field.schema, optional: isOptional, default: own } });
      }
    }
  }

  #flattenStruct(from: StructContent, prefix: string, into: ConnectObject, flat: Flat): void {
    for (const field of from.schema.fields) {
      const name = this.#name(prefix, field.name);
      const stored = from.value.get(field.name) ?? null;
      if (field.schema.type === "struct") {
        if (stored === null) continue;
        const nested = structOf({ schema: field.schema, value: stored }, purpose);
        this.#flattenStruct(nested, name, into, flat);
        continue;
      }
      const value: ConnectValue = stored ?? field.schema.default;
      const target = flat.fields.get(name);
      if (target === undefined) throw invalid(`${name} is not a valid field name`);
      validateField(name, target, value);
      into.set(name, value);
    }
  }
}

const keys = [
  plainKey(
    {
      name: "delimiter",
      type: "STRING",
      importance: "MEDIUM",
      documentation: "What stands between the names of a field and of what it was in.",
    },
    ".",
  ),
];

/** `org.apache.kafka.connect.transforms.Flatten` */
export const flatten = keyAndValue(
  "Flatten",
  keys,
  (part, settings) => new Flatten(part, settings.text("delimiter")),
);
