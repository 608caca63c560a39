import { ConfigError } from "../base/error.ts";
import type { ConnectRecord, Data } from "../record/connect-record.ts";
import { javaError } from "../record/java-error.ts";
import { contentOf, javaNameOf, typeOf, valueIn } from "../record/java-value.ts";
import { logicalName } from "../record/logical.ts";
import { invalid } from "../record/payload.ts";
import { newSchema, type Schema } from "../record/schema.ts";
import { validateField } from "../record/validate-value.ts";
import type { ConnectObject, ConnectValue, JsonObject, JsonValue } from "../record/value.ts";
import { formatDate, type PatternPart, patternParts } from "./date-pattern.ts";
import { DateReader } from "./date-reader.ts";
import { exact } from "./java-number.ts";
import { copyOfMap, fieldOf, mapValue, structOf } from "./operand.ts";
import { plainKey, plainRequired, replaceNullKey } from "./plain-key.ts";
import { SchemaCache } from "./schema-cache.ts";
import { shownSchema } from "./shown-record.ts";
import { fieldNamed, structLike } from "./struct-schema.ts";
import { keyAndValue, type Part, type StageSettings, type Transform } from "./transform.ts";

const purpose = "converting timestamp formats";
const dayMs = 86_400_000n;

/** The forms of a moment. */
const forms = ["string", "unix", "Date", "Time", "Timestamp"] as const;
type Form = (typeof forms)[number];

const schemas: Readonly<Record<Form, Schema>> = {
  string: newSchema("string"),
  unix: newSchema("int64"),
  Date: newSchema("int32", { name: logicalName.date, version: 1 }),
  Time: newSchema("int32", { name: logicalName.time, version: 1 }),
  Timestamp: newSchema("int64", { name: logicalName.timestamp, version: 1 }),
};

/** What a unit is in nanoseconds. */
const unitNanos: Readonly<Record<string, bigint>> = {
  nanoseconds: 1n,
  microseconds: 1_000n,
  milliseconds: 1_000_000n,
  seconds: 1_000_000_000n,
};
const msNanos = 1_000_000n;

/** Turns a field, or the whole key or value, from one form of a moment into another. */
class TimestampConverter implements Transform {
  readonly #part: Part;
  /** Empty = the whole. */
  readonly #field: string;
  readonly #target: Form;
  readonly #format: string;
  readonly #parts: readonly PatternPart[] | undefined;
  readonly #reader: DateReader | undefined;
  readonly #unit: bigint;
  readonly #replaceNull: boolean;
  readonly #schemas = new SchemaCache<Schema>();

  constructor(part: Part, settings: StageSettings) {
    this.#part = part;
    this.#field = settings.text("field");
    this.#target = settings.text("target.type") as Form;
    this.#format = settings.text("format");
    this.#unit = unitNanos[settings.text("unix.precision")] ?? msNanos;
    this.#replaceNull = settings.flag("replace.null.with.default");
    const isBlank = this.#format.trim() === "";
    if (this.#target === "string" && isBlank) {
      throw new ConfigError(
        "config.invalid",
        "TimestampConverter requires format option to be specified when using string timestamps",
      );
    }
    this.#parts = isBlank ? undefined : compiled(this.#format);
    this.#reader = this.#parts && new DateReader(this.#parts);
  }

  apply(record: ConnectRecord): boolean {
    const data = record[this.#part];
    record[this.#part] =
      data.schema === null ? this.#applySchemaless(data) : this.#applyWithSchema(data, data.schema);
    return true;
  }

  #applySchemaless(data: Data): Data {
    if (data.value === null || this.#field === "") {
      return { schema: null, value: this.#converted(null, data.value, null) };
    }
    const map = copyOfMap(data, purpose);
    map.set(this.#field, this.#converted(null, map.get(this.#field) ?? null, null));
    return { schema: null, value: mapValue(map) };
  }

  #applyWithSchema(data: Data, given: Schema): Data {
    if (this.#field === "") {
      const schema = this.#targetSchema(given.optional);
      return { schema, value: this.#converted(given, data.value, schema) };
    }
    const struct = data.value === null ? null : structOf(data, purpose);
    const schema = this.#schemas.get(given, (from) => this.#changedSchema(from));
    const value = struct === null ? null : this.#changed(struct.schema, struct.value, schema);
    return { schema, value };
  }

  #changed(from: Schema, struct: ConnectObject, to: Schema): ConnectObject {
    const changed: ConnectObject = new Map();
    for (const field of from.fields) {
      const target = fieldNamed(to, field.name);
      if (target === undefined) throw invalid(`${field.name} is not a valid field name`);
      const given = fieldOf(struct, field, this.#replaceNull);
      const isWanted = field.name === this.#field;
      const value = isWanted ? this.#converted(field.schema, given, target.schema) : given;
      validateField(field.name, target.schema, value);
      changed.set(field.name, value);
    }
    return changed;
  }

  #changedSchema(from: Schema): Schema {
    if (from.type !== "struct") throw invalid("Cannot list fields on non-struct type");
    const fields = from.fields.map(({ name, schema }) => ({
      name,
      schema: name === this.#field ? this.#targetSchema(schema.optional) : schema,
    }));
    const schema = { ...structLike(from, fields), optional: from.optional };
    if (from.default === null) return schema;
    const changed = this.#changed(from, from.default as JsonObject, schema);
    return { ...schema, default: changed as JsonValue };
  }

  #targetSchema(optional: boolean): Schema {
    const schema = schemas[this.#target];
    return optional ? { ...schema, optional } : schema;
  }

  #converted(from: Schema | null, value: ConnectValue, to: Schema | null): ConnectValue {
    const form = from === null ? undefined : formUnder(from);
    if (value === null) return null;
    const ms = this.#msOf(from, value, form ?? formOf(value));
    switch (this.#target) {
      case "string":
        return valueIn(to, "string", formatDate(this.#parts ?? [], Number(ms)));
      case "unix":
        return valueIn(to, "int64", exact(inUnits(ms, msNanos, this.#unit)));
      case "Date":
        return valueIn(to, "date", exact(ms - mod(ms, dayMs)));
      case "Time":
        return valueIn(to, "date", exact(mod(ms, dayMs)));
      case "Timestamp":
        return valueIn(to, "date", exact(ms));
    }
  }

  #msOf(schema: Schema | null, value: ConnectValue, form: Form): bigint {
    const type = typeOf(schema, value);
    const found = () => `but found class ${javaNameOf(schema, value)}`;
    if (form === "string") {
      if (type === "string") return this.#parsed(contentOf("string", schema, value));
      throw invalid(`Expected string timestamp to be a String, ${found()}`);
    }
    if (form === "unix") {
      if (type !== "int64") throw invalid(`Expected Unix timestamp to be a Long, ${found()}`);
      return inUnits(BigInt(contentOf("int64", schema, value)), this.#unit, msNanos);
    }
    if (type === "date") {
      const ms = contentOf("date", schema, value);
      // A struct may bear a date's name: SetSchemaMetadata gives any.
      if (typeof ms === "bigint" || Number.isSafeInteger(ms)) return BigInt(ms);
      throw javaError("ClassCastException", `the schema is ${form}'s, the value is not`);
    }
    throw invalid(`Expected ${form} to be a java.util.Date, ${found()}`);
  }

  #parsed(text: string): bigint {
    if (this.#reader === undefined) {
      throw javaError(
        "NullPointerException",
        `cannot read the text ${text}: no format is set, which says how texts are to be read`,
      );
    }
    const ms = this.#reader.read(text);
    if (ms !== undefined) return BigInt(ms);
    throw invalid(
      `Could not parse timestamp: value (${text}) does not match pattern (${this.#format})`,
    );
  }
}

function compiled(format: string): readonly PatternPart[] {
  try {
    return patternParts(format);
  } catch (cause) {
    const { message } = cause as Error;
    throw new ConfigError(
      "config.invalid",
      `Invalid value java.lang.IllegalArgumentException: ${message} for configuration TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: ${format}`,
      { cause },
    );
  }
}

function formUnder(schema: Schema): Form {
  if (schema.name === logicalName.timestamp) return "Timestamp";
  if (schema.name === logicalName.date) return "Date";
  if (schema.name === logicalName.time) return "Time";
  if (schema.type === "string") return "string";
  if (schema.type === "int64") return "unix";
  throw javaError(
    "ConnectException",
    `Schema ${shownSchema(schema)} does not correspond to a known timestamp type format`,
  );
}

function formOf(value: ConnectValue): Form {
  switch (typeOf(null, value)) {
    case "date":
      return "Timestamp";
    case "int64":
      return "unix";
    case "string":
      return "string";
    default:
      throw invalid(
        `TimestampConverter does not support class ${javaNameOf(null, value)} objects as timestamps`,
      );
  }
}

const longMax = 2n ** 63n - 1n;

/** As Java's TimeUnit: towards zero, and no further than a long goes. */
function inUnits(value: bigint, from: bigint, to: bigint): bigint {
  if (from <= to) return value / (to / from);
  const product = value * (from / to);
  if (product > longMax) return longMax;
  return product < -longMax - 1n ? -longMax - 1n : product;
}

function mod(value: bigint, by: bigint): bigint {
  return ((value % by) + by) % by;
}

const keys = [
  plainKey(
    {
      name: "field",
      type: "STRING",
      importance: "HIGH",
      documentation: "The field to convert; empty = the whole key or value.",
    },
    "",
  ),
  plainRequired(
    {
      name: "target.type",
      type: "STRING",
      importance: "HIGH",
      documentation: "What it becomes.",
    },
    { validator: { at: "one-of", values: forms } },
  ),
  plainKey(
    {
      name: "format",
      type: "STRING",
      importance: "MEDIUM",
      documentation:
        "How texts are read and written, in UTC: a pattern of java.text.SimpleDateFormat.",
    },
    "",
  ),
  plainKey(
    {
      name: "unix.precision",
      type: "STRING",
      importance: "LOW",
      documentation: "The unit of unix timestamps, read or written.",
    },
    "milliseconds",
    { validator: { at: "one-of", values: Object.keys(unitNanos) } },
  ),
  replaceNullKey,
];

/** `org.apache.kafka.connect.transforms.TimestampConverter` */
export const timestampConverter = keyAndValue(
  "TimestampConverter",
  keys,
  (part, settings) => new TimestampConverter(part, settings),
);
