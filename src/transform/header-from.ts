import { ConfigError } from "../base/error.ts";
import { type ConnectRecord, type Data, type Header, headerOf } from "../record/connect-record.ts";
import { javaError } from "../record/java-error.ts";
import { moved } from "../record/java-value.ts";
import { invalid } from "../record/payload.ts";
import { type Field, newSchema, type Schema } from "../record/schema.ts";
import { validateField } from "../record/validate-value.ts";
import type { ConnectObject, ConnectValue, StructContent } from "../record/value.ts";
import { checkHeader, copyOfHeaders } from "./header-rules.ts";
import { copyOfMap, fieldOf, mapValue, structOf } from "./operand.ts";
import { nonEmptyList, plainRequired, replaceNullKey } from "./plain-key.ts";
import { SchemaCache } from "./schema-cache.ts";
import { keyAndValue, type Part, type StageSettings, type Transform } from "./transform.ts";

/** What is to be done to structs of one schema. */
interface Plan {
  /** The schema without the fields that move away. */
  readonly kept: Schema;
  /** A header's field, in the order of the headers; undefined = the struct has none. */
  readonly taken: readonly (Field | undefined)[];
}

/** Moves or copies fields of the key or value into headers. */
class HeaderFrom implements Transform {
  readonly #part: Part;
  readonly #fields: readonly string[];
  readonly #headers: readonly string[];
  readonly #moves: boolean;
  readonly #purpose: string;
  readonly #replaceNull: boolean;
  readonly #plans = new SchemaCache<Plan>();

  constructor(part: Part, settings: StageSettings) {
    this.#part = part;
    this.#fields = settings.list("fields");
    this.#headers = settings.list("headers");
    if (this.#fields.length !== this.#headers.length) {
      throw new ConfigError(
        "config.invalid",
        "'fields' config must have the same number of elements as 'headers' config.",
      );
    }
    this.#moves = settings.text("operation") === "move";
    this.#purpose = `header ${settings.text("operation")}`;
    this.#replaceNull = settings.flag("replace.null.with.default");
  }

  apply(record: ConnectRecord): boolean {
    const headers = copyOfHeaders(record);
    const data = record[this.#part];
    record[this.#part] =
      data.schema === null
        ? this.#applySchemaless(data, headers)
        : this.#applyWithSchema(data, data.schema, headers);
    record.headers = headers;
    return true;
  }

  #applySchemaless(data: Data, headers: Header[]): Data {
    const map = copyOfMap(data, this.#purpose);
    // A field may go to several headers: none is taken away before all are read.
    for (let at = 0; at < this.#fields.length; at += 1) {
      const value = map.get(this.#fields[at] ?? "") ?? null;
      headers.push(headerOf(this.#headers[at] ?? "", { schema: null, value }));
    }
    if (this.#moves) for (const field of this.#fields) map.delete(field);
    return { schema: null, value: mapValue(map) };
  }

  #applyWithSchema(data: Data, schema: Schema, headers: Header[]): Data {
    const struct = structOf(data, this.#purpose);
    if (schema.type !== "struct") {
      const does = this.#moves ? "list fields" : "look up fields";
      throw invalid(`Cannot ${does} on non-struct type`);
    }
    const { kept, taken } = this.#plans.get(schema, (from) => this.#plan(from));
    const changed = this.#moves ? { schema: kept, value: this.#rest(struct, schema, kept) } : data;
    for (let at = 0; at < taken.length; at += 1) {
      const field = taken[at];
      if (field === undefined) throw noSuchField(this.#fields[at] ?? "");
      const value = this.#read(struct, schema, field) ?? null;
      checkHeader(field.schema, value);
      headers.push({ name: this.#headers[at] ?? "", schema: field.schema, value });
    }
    return changed;
  }

  #rest(struct: StructContent, schema: Schema, kept: Schema): ConnectObject {
    const rest: ConnectObject = new Map();
    for (const field of kept.fields) {
      const value = this.#read(struct, schema, field);
      if (value === undefined) throw invalid(`${field.name} is not a valid field name`);
      validateField(field.name, field.schema, value);
      rest.set(field.name, value);
    }
    return rest;
  }

  /** A field of the record's schema out of a struct that may have come with another; undefined = not there. */
  #read(struct: StructContent, schema: Schema, field: Field): ConnectValue | undefined {
    if (struct.schema === schema) return fieldOf(struct.value, field, this.#replaceNull);
    const own = struct.schema.fields.find(({ name }) => name === field.name);
    if (own === undefined) return undefined;
    return moved(own.schema, fieldOf(struct.value, own, this.#replaceNull), field.schema);
  }

  #plan({ name, version, doc, parameters, fields }: Schema): Plan {
    const kept = fields.filter((field) => !this.#fields.includes(field.name));
    return {
      kept: newSchema("struct", { name, version, doc, parameters, fields: kept }),
      taken: this.#fields.map((wanted) => fields.find((field) => field.name === wanted)),
    };
  }
}

/** Apache's class stumbles here; users know the name of that exception, not of a better one. */
function noSuchField(name: string): Error {
  return javaError("NullPointerException", `the struct has no field ${name}`);
}

const keys = [
  plainRequired(
    {
      name: "fields",
      type: "LIST",
      importance: "HIGH",
      documentation: "The fields that go to headers.",
    },
    nonEmptyList,
  ),
  plainRequired(
    {
      name: "headers",
      type: "LIST",
      importance: "HIGH",
      documentation: "The headers they go to, one for each field in the same order.",
    },
    nonEmptyList,
  ),
  plainRequired(
    {
      name: "operation",
      type: "STRING",
      importance: "HIGH",
      documentation: "'move' takes the fields out of the key or value, 'copy' leaves them there.",
    },
    { validator: { at: "one-of", values: ["move", "copy"] } },
  ),
  replaceNullKey,
];

/** `org.apache.kafka.connect.transforms.HeaderFrom` */
export const headerFrom = keyAndValue(
  "HeaderFrom",
  keys,
  (part, settings) => new HeaderFrom(part, settings),
  ["headers"],
);
