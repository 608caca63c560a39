import type { CheckedKey, ParsedValue } from "../config/parse.ts";
import { momentText } from "../convert/header-text.ts";
import type { ConnectRecord, Data } from "../record/connect-record.ts";
import { javaError } from "../record/java-error.ts";
import { contentOf, javaNameOf, typeOf, valueIn } from "../record/java-value.ts";
import { logicalName, timeMsMax } from "../record/logical.ts";
import { invalid } from "../record/payload.ts";
import { type Field, javaTypeName, newSchema, type Schema } from "../record/schema.ts";
import { shownValue } from "../record/shown-value.ts";
import { validateField } from "../record/validate-value.ts";
import type { ConnectValue, ContentOf, JsonValue, ValueType } from "../record/value.ts";
import { type CastTarget, castOf, castTargets, wrongSpec } from "./cast-spec.ts";
import { inHashOrder } from "./java-hash.ts";
import {
  type JavaNumber,
  type NumberType,
  numberAs,
  parseDouble,
  parseInteger,
} from "./java-number.ts";
import { changedStruct, mapValue, orDefault, ownMap, structOf } from "./operand.ts";
import { plainRequired, replaceNullKey } from "./plain-key.ts";
import { SchemaCache } from "./schema-cache.ts";
import { structLike, unbuildable } from "./struct-schema.ts";
import { keyAndValue, type Part, type StageSettings, type Transform } from "./transform.ts";

const purpose = "cast types";
const dayMs = 86_400_000;

/** Gives fields, or the whole key or value, another type. */
class Cast implements Transform {
  readonly #part: Part;
  /** Of the whole; undefined = of fields. */
  readonly #whole: CastTarget | undefined;
  readonly #fields: ReadonlyMap<string, CastTarget>;
  readonly #replaceNull: boolean;
  readonly #schemas = new SchemaCache<Schema>();

  constructor(part: Part, settings: StageSettings) {
    this.#part = part;
    const casts = settings.list("spec").map((text) => castOf(text));
    this.#whole = casts.find(({ field }) => field === null)?.target;
    const fields = new Map(casts.map(({ field, target }) => [field ?? "", target]));
    this.#fields = new Map(inHashOrder([...fields], ([field]) => field));
    this.#replaceNull = settings.flag("replace.null.with.default");
  }

  apply(record: ConnectRecord): boolean {
    const data = record[this.#part];
    if (data.value === null) return true;
    record[this.#part] =
      data.schema === null ? this.#applySchemaless(data) : this.#applyWithSchema(data, data.schema);
    return true;
  }

  #applySchemaless(data: Data): Data {
    if (this.#whole !== undefined) {
      return { schema: null, value: cast(null, data.value, this.#whole, null) };
    }
    const map = ownMap(data, purpose);
    for (const [field, target] of this.#fields) {
      map.set(field, cast(null, map.get(field) ?? null, target, null));
    }
    return { schema: null, value: mapValue(map) };
  }

  #applyWithSchema(data: Data, given: Schema): Data {
    const schema = this.#schemas.get(given, (from) => this.#castSchema(from));
    if (this.#whole !== undefined) {
      return { schema, value: cast(given, data.value, this.#whole, schema) };
    }
    const struct = structOf(data, purpose);
    const changed = changedStruct(data, struct);
    const { fields } = struct.schema;
    for (let at = 0; at < fields.length; at += 1) {
      const field = fields[at] as Field;
      // What a struct is cast to has the same fields in the same order.
      const to = schema.fields[at] as Field;
      const target = this.#fields.get(field.name);
      const given = struct.value.get(field.name);
      const value = orDefault(given, field.schema, this.#replaceNull);
      const item = target === undefined ? value : cast(field.schema, value, target, to.schema);
      validateField(field.name, to.schema, item);
      if (item !== given) changed.set(field.name, item);
    }
    return { schema, value: changed };
  }

  #castSchema(given: Schema): Schema {
    const { optional, name, version, doc, parameters } = given;
    if (this.#whole !== undefined) {
      const basics = { optional, name, version, doc, parameters };
      return withDefault(newSchema(castTargets[this.#whole], basics), given, this.#whole);
    }
    if (given.type !== "struct") throw invalid("Cannot list fields on non-struct type");
    const fields = given.fields.map((field): Field => {
      const target = this.#fields.get(field.name);
      if (target === undefined) return field;
      const plain = newSchema(castTargets[target], { optional: field.schema.optional });
      return { name: field.name, schema: withDefault(plain, field.schema, target) };
    });
    // A default of the whole is cast like a value, and structs cannot be.
    if (given.default !== null) throw unsupported(given);
    return { ...structLike(given, fields), optional };
  }
}

function withDefault(schema: Schema, given: Schema, target: CastTarget): Schema {
  if (given.default === null) return schema;
  const value = cast(given, given.default, target, schema);
  // A whole keeps its name, and with a name of Connect's own it may have nothing else than that type's values.
  if (logicalNames.includes(schema.name)) throw unbuildable("Invalid default value");
  return { ...schema, default: value as JsonValue };
}

const logicalNames: readonly (string | null)[] = Object.values(logicalName);

const inputTypes: readonly ValueType[] = [
  "int8",
  "int16",
  "int32",
  "int64",
  "float32",
  "float64",
  "boolean",
  "string",
  "bytes",
];

/** A value of `from` as one in the place `to`. @throws RecordError with Connect's text */
function cast(
  from: Schema | null,
  value: ConnectValue,
  target: CastTarget,
  to: Schema | null,
): ConnectValue {
  const type = typeOf(from, value);
  if (type === null) return null;
  if (from === null) checkClass(type, value);
  else if (from.type === "struct" || from.type === "map" || from.type === "array") {
    throw unsupported(from);
  }
  if (target === "string") return valueIn(to, "string", textOf(from, type, value));
  const source = from === null ? undefined : encoded(from, type, value);
  if (target === "boolean") return valueIn(to, "boolean", booleanOf(from, type, value, source));
  const number = source ?? numberOf(from, type, value, target);
  return valueIn(to, target, numberAs(target, number) as never);
}

function checkClass(type: ValueType, value: ConnectValue): void {
  if (inputTypes.includes(type)) return;
  if (type === "list" || type === "map" || type === "struct") {
    throw unsupportedType(type === "list" ? "ARRAY" : type.toUpperCase());
  }
  throw invalid(
    `Cast transformation was passed a value of type class ${javaNameOf(null, value)} which is not supported by Connect's data API`,
  );
}

function unsupported(schema: Schema): Error {
  return unsupportedType(javaTypeName(schema));
}

function unsupportedType(name: string): Error {
  return invalid(
    `Cast transformation does not support casting from ${name}; supported types are [INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES]`,
  );
}

/** The number that a Date, Time or Timestamp is kept as. @throws RecordError for a date that it cannot be */
function encoded(schema: Schema, type: ValueType, value: ConnectValue): bigint | undefined {
  const { name } = schema;
  if (name !== logicalName.date && name !== logicalName.time && name !== logicalName.timestamp) {
    return undefined;
  }
  if (type !== "date") {
    throw javaError(
      "ClassCastException",
      `class ${javaNameOf(schema, value)} cannot be cast to class java.util.Date`,
    );
  }
  const ms = contentOf("date", schema, value);
  if (name === logicalName.timestamp) return BigInt(ms);
  const number = Number(ms);
  if (name === logicalName.time) {
    if (number >= 0 && number <= timeMsMax) return BigInt(ms);
    throw invalid(
      "Kafka Connect Time type should not have any date fields set to non-zero values.",
    );
  }
  if (number % dayMs === 0) return BigInt(number / dayMs);
  throw invalid("Kafka Connect Date type should not have any time fields set to non-zero values.");
}

function numberOf(
  schema: Schema | null,
  type: ValueType,
  value: ConnectValue,
  target: NumberType,
): JavaNumber {
  switch (type) {
    case "int8":
    case "int16":
    case "int32":
    case "int64":
      return BigInt(contentOf(type, schema, value));
    case "float32":
    case "float64":
      return { double: contentOf(type, schema, value) };
    case "decimal":
    case "bigint":
      return contentOf(type, schema, value);
    case "boolean":
      return contentOf(type, schema, value) ? 1n : 0n;
    case "string":
      return parsed(contentOf(type, schema, value), target);
    default:
      throw invalid(`Unexpected type in Cast transformation: class ${javaNameOf(schema, value)}`);
  }
}

function parsed(text: string, target: NumberType): JavaNumber {
  const isFloat = target === "float32" || target === "float64";
  const double = isFloat ? parseDouble(text) : undefined;
  const number = isFloat
    ? double !== undefined && { double }
    : parseInteger(text, Number(target.slice(3)));
  if (number !== undefined && number !== false) return number;
  throw invalid(`Value (${text}) was out of range for requested data type`);
}

function booleanOf(
  schema: Schema | null,
  type: ValueType,
  value: ConnectValue,
  source: JavaNumber | undefined,
): boolean {
  if (type === "boolean") return contentOf(type, schema, value);
  if (type === "string") return contentOf(type, schema, value).toLowerCase() === "true";
  return BigInt(numberAs("int64", source ?? numberOf(schema, type, value, "int64"))) !== 0n;
}

function textOf(schema: Schema | null, type: ValueType, value: ConnectValue): string {
  if (type === "string" || type === "bytes") return contentOf(type, schema, value);
  if (type === "date") return momentText(Number(contentOf(type, schema, value)));
  return shownValue(valueIn(null, type, contentOf(type, schema, value) as ContentOf[typeof type]));
}

/** What each spec is refused for, in the order of the list. */
const specRule: Pick<CheckedKey, "check"> = {
  check: (value: ParsedValue) => {
    if (!Array.isArray(value) || value.length === 0) {
      return { sentence: "Must specify at least one field to cast." };
    }
    return wrongSpec(value);
  },
};

const keys = [
  plainRequired(
    {
      name: "spec",
      type: "LIST",
      importance: "HIGH",
      documentation:
        "field:type,… or one bare type for the whole. Types: int8, int16, int32, int64, float32, float64, boolean, string.",
    },
    specRule,
  ),
  replaceNullKey,
];

/** `org.apache.kafka.connect.transforms.Cast` */
export const castTransform = keyAndValue(
  "Cast",
  keys,
  (part, settings) => new Cast(part, settings),
);
