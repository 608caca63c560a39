/** JsonConverter over values instead of bytes that are passed on: what transforms need. */
import { Buffer } from "node:buffer";
import { ByteScratch } from "../record/byte-scratch.ts";
import {
  floatingOf,
  type PayloadStyle,
  writeJsonString,
  writePayload,
} from "../record/canonical-json.ts";
import type { Data } from "../record/connect-record.ts";
import { javaDouble, javaFloat } from "../record/java-text.ts";
import { javaNameOf, sameSchema, typeOf, typeUnder } from "../record/java-value.ts";
import {
  encodeUnscaled,
  formatDecimal,
  logicalName,
  rescale,
  timeMsMax,
} from "../record/logical.ts";
import { invalid, scaleOf } from "../record/payload.ts";
import { type ByteSlice, noBytes } from "../record/record-slice.ts";
import { type Field, hasStringKeys, javaTypeName, type Schema } from "../record/schema.ts";
import { writeSchemaText } from "../record/schema-text.ts";
import {
  type ConnectArray,
  type ConnectObject,
  type ConnectValue,
  type ContentOf,
  type JsonValue,
  Tagged,
  type ValueType,
} from "../record/value.ts";

const dayMs = 86_400_000;
const prefixWithoutSchema = Buffer.from('{"schema":null,"payload":');
const braceClosing = Buffer.from("}");

const heads = new WeakMap<Schema, readonly string[]>();

/** What stands before the value of each field of a struct. */
function headsOf(schema: Schema): readonly string[] {
  let known = heads.get(schema);
  if (known === undefined) {
    known = schema.fields.map(({ name }, at) => `${at === 0 ? "" : ","}${writeJsonString(name)}:`);
    heads.set(schema, known);
  }
  return known;
}

/** Writes values as JsonConverter does, whatever class they are of. */
export class JsonPlain {
  readonly #schemasEnable: boolean;
  readonly #style: PayloadStyle;
  readonly #isNearest: boolean;
  /** What stands before the payload, by the schema. */
  readonly #prefixes = new WeakMap<Schema, Uint8Array>();
  readonly #scratch = new ByteScratch();

  /**
   * `unplaced`: classes that JSON has nothing for without a schema are refused, as by Connect, or become
   * what is nearest: a date its milliseconds, a decimal its number, a struct its fields.
   */
  constructor(
    schemasEnable: boolean,
    style: PayloadStyle,
    unplaced: "refused" | "nearest" = "refused",
  ) {
    this.#schemasEnable = schemasEnable;
    this.#style = style;
    this.#isNearest = unplaced === "nearest";
  }

  /** null = tombstone. @throws RecordError with Connect's text */
  bytesOf({ schema, value }: Data): Uint8Array | null {
    if (schema === null && value === null) return null;
    if (!this.#schemasEnable) return Buffer.from(this.#text(schema, value));
    const prefix = this.#prefixOf(schema);
    return Buffer.concat([prefix, Buffer.from(this.#text(schema, value)), braceClosing]);
  }

  /** As `bytesOf`; what all records of a schema begin with is not copied. Valid until the next call. */
  fill({ schema, value }: Data, slice: ByteSlice): void {
    const isNull = schema === null && value === null;
    const isWrapped = this.#schemasEnable && !isNull;
    const out = this.#scratch;
    slice.prefix = isWrapped ? this.#prefixOf(schema) : noBytes;
    slice.suffix = isWrapped ? braceClosing : noBytes;
    out.clear();
    if (!isNull) out.appendText(this.#text(schema, value));
    slice.bytes = out.bytes;
    slice.start = isNull ? -1 : 0;
    slice.end = isNull ? -1 : out.length;
  }

  #prefixOf(schema: Schema | null): Uint8Array {
    if (schema === null) return prefixWithoutSchema;
    let prefix = this.#prefixes.get(schema);
    if (prefix === undefined) {
      requireWritable(schema);
      prefix = Buffer.from(`{"schema":${writeSchemaText(schema, this.#style)},"payload":`);
      this.#prefixes.set(schema, prefix);
    }
    return prefix;
  }

  /** The payload alone, without what is around it. @throws RecordError with Connect's text */
  payloadText(schema: Schema | null, value: ConnectValue): string {
    return this.#text(schema, value);
  }

  #text(schema: Schema | null, value: ConnectValue): string {
    if (value === null) return schema === null ? "null" : writePayload(schema, null, this.#style);
    if (value instanceof Tagged) return this.#tagged(schema, value);
    if (schema !== null && isPlainLeaf(schema)) {
      return writePayload(schema, value as JsonValue, this.#style);
    }
    switch (typeOf(schema, value)) {
      case "list":
        return this.#list(schema?.values ?? null, value as ConnectArray);
      case "map":
        return this.#map(schema, value);
      case "struct":
        return this.#struct(schema as Schema, value as ConnectObject);
      default:
        return writePayload(schema, value as JsonValue, this.#style);
    }
  }

  #list(items: Schema | null, list: ConnectArray): string {
    return `[${list.map((item) => this.#text(items, item)).join(",")}]`;
  }

  #map(schema: Schema | null, value: ConnectValue): string {
    const values = schema?.values ?? null;
    if (schema !== null && !hasStringKeys(schema)) {
      const pairs = (value as unknown as [ConnectValue, ConnectValue][]).map(
        ([key, item]) => `[${this.#text(schema.keys, key)},${this.#text(values, item)}]`,
      );
      return `[${pairs.join(",")}]`;
    }
    let text = "";
    for (const [name, item] of value as ConnectObject) {
      text += `${text === "" ? "{" : ","}${writeJsonString(name)}:${this.#text(values, item)}`;
    }
    return text === "" ? "{}" : `${text}}`;
  }

  #struct(schema: Schema, struct: ConnectObject): string {
    const { fields } = schema;
    const heads = headsOf(schema);
    let text = "{";
    for (let at = 0; at < fields.length; at += 1) {
      const { name, schema: field } = fields[at] as Field;
      text += heads[at] as string;
      text += this.#text(field, struct.get(name) ?? null);
    }
    return `${text}}`;
  }

  /** A value that is not what its place would have, or has no place. */
  #tagged(schema: Schema | null, value: Tagged): string {
    const { type, content } = value;
    if (schema === null && this.#isNearest) {
      const text = this.#nearest(value);
      if (text !== undefined) return text;
    }
    if (schema !== null && type !== typeUnder(schema)) throw wrongClass(schema, value);
    switch (type) {
      case "date":
        return this.#date(schema, content as ContentOf["date"]);
      case "decimal":
        return this.#decimal(schema, content as ContentOf["decimal"]);
      case "bigint":
        throw unknownClass(value);
      case "struct": {
        const struct = content as ContentOf["struct"];
        if (!sameSchema(struct.schema, schema)) throw invalid("Mismatching schema.");
        return this.#struct(struct.schema, struct.value);
      }
      case "list":
        return this.#list(null, content as ConnectArray);
      case "map":
        return this.#pairs(schema, content as ContentOf["map"]);
      default:
        return scalarText(type, content);
    }
  }

  #nearest({ type, content }: Tagged): string | undefined {
    if (type === "date") return String(content);
    if (type === "decimal") {
      const number = Number(formatDecimal(content as ContentOf["decimal"]));
      return Number.isFinite(number) ? javaDouble(number) : number > 0 ? "1e999" : "-1e999";
    }
    if (type === "bigint") {
      const exact = content as bigint;
      // Beyond int64 the contract has no integers.
      return exact === BigInt.asIntN(64, exact) ? String(exact) : `"${exact}"`;
    }
    if (type !== "struct") return undefined;
    const { schema, value } = content as ContentOf["struct"];
    return this.#struct(schema, value);
  }

  #date(schema: Schema | null, ms: number | bigint): string {
    if (schema === null) throw unknownClass(new Tagged("date", ms));
    const number = Number(ms);
    if (schema.name === logicalName.timestamp) return String(ms);
    if (schema.name === logicalName.time) {
      if (number >= 0 && number <= timeMsMax) return String(ms);
      throw invalid(
        "Kafka Connect Time type should not have any date fields set to non-zero values.",
      );
    }
    if (number % dayMs === 0) return String(number / dayMs);
    throw invalid(
      "Kafka Connect Date type should not have any time fields set to non-zero values.",
    );
  }

  #decimal(schema: Schema | null, decimal: ContentOf["decimal"]): string {
    if (schema === null) throw unknownClass(new Tagged("decimal", decimal));
    if (this.#style.numericDecimals) return formatDecimal(decimal);
    const scale = scaleOf(schema);
    if (this.#isNearest) {
      // As `readPayload` does for a plugin: 1.50 is 1.5 where the form has room for that only.
      const scaled = rescale(decimal, scale ?? 0);
      if (scaled !== undefined) return base64Text(scaled);
    }
    if (scale === undefined) throw invalid("Invalid Decimal schema: scale parameter not found.");
    if (scale === decimal.scale) return base64Text(decimal);
    throw invalid(
      `Decimal value has mismatching scale for given Decimal schema. Schema has scale ${scale}, value has scale ${decimal.scale}.`,
    );
  }

  /** A map whose keys may be anything: an object if they all are texts. */
  #pairs(schema: Schema | null, pairs: ContentOf["map"]): string {
    if (schema === null && pairs.every(([key]) => typeof key === "string")) {
      return this.#map(null, new Map(pairs as readonly [string, ConnectValue][]));
    }
    const texts = pairs.map(
      ([key, item]) => `[${this.#text(null, key)},${this.#text(null, item)}]`,
    );
    return `[${texts.join(",")}]`;
  }
}

/** A value that is not tagged is of its schema's own class there. */
function isPlainLeaf({ type, name }: Schema): boolean {
  return name === null && type !== "struct" && type !== "array" && type !== "map";
}

function scalarText(type: ValueType, content: ContentOf[ValueType]): string {
  if (type === "float32" || type === "float64") {
    const number = floatingOf(content as number) ?? 0;
    const text = type === "float32" ? javaFloat(number) : javaDouble(number);
    return Number.isFinite(number) ? text : `"${text}"`;
  }
  if (type === "string" || type === "bytes") return writeJsonString(content as string);
  return String(content);
}

function base64Text({ unscaled }: ContentOf["decimal"]): string {
  return `"${encodeUnscaled(unscaled).toString("base64")}"`;
}

function unknownClass(value: Tagged): Error {
  const javaName = javaNameOf(null, value);
  return invalid(`Java class class ${javaName} does not have corresponding schema type.`);
}

function wrongClass(schema: Schema, value: Tagged): Error {
  const found = `class ${javaNameOf(schema, value)}`;
  switch (schema.name) {
    case logicalName.date:
    case logicalName.time:
    case logicalName.timestamp: {
      const kind = schema.name.slice(schema.name.lastIndexOf(".") + 1);
      return invalid(`Invalid type for ${kind}, expected Date but was ${found}`);
    }
    case logicalName.decimal:
      return invalid(`Invalid type for Decimal, expected BigDecimal but was ${found}`);
  }
  const kind = schema.type === "bytes" ? "bytes type" : javaTypeName(schema);
  return invalid(`Invalid type for ${kind}: ${found}`);
}

/** A struct's default is of an unfinished schema in Connect, which equals none. */
function requireWritable(schema: Schema): void {
  if (schema.type === "struct" && schema.default !== null) throw invalid("Mismatching schema.");
  for (const { schema: field } of schema.fields) requireWritable(field);
  if (schema.keys !== null) requireWritable(schema.keys);
  if (schema.values !== null) requireWritable(schema.values);
}
