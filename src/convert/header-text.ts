/** From a value to a header's text, as SimpleHeaderConverter writes it. */
import { bytesOf, floatingOf, writePayload, wrongClass } from "../record/canonical-json.ts";
import { dayMs, isoDate, isoTime } from "../record/java-calendar.ts";
import { decimalString, entriesOf, temporalMs } from "../record/java-string.ts";
import { javaDouble, javaFloat } from "../record/java-text.ts";
import { moved } from "../record/java-value.ts";
import { logicalName } from "../record/logical.ts";
import type { Schema } from "../record/schema.ts";
import { shownValue } from "../record/shown-value.ts";
import {
  type ConnectValue,
  type ContentOf,
  Floating,
  type JsonValue,
  Tagged,
} from "../record/value.ts";

const strict = { nulls: "keep", numericDecimals: false } as const;

/** Inside lists, maps and structs (`embedded`) strings are quoted. @throws RecordError */
export function headerText(schema: Schema | null, value: JsonValue, embedded = false): string {
  if (value === null) return "null";
  if (schema === null) return schemalessText(value, embedded);
  switch (schema.type) {
    case "string":
      if (typeof value !== "string") throw wrongClass(schema, value);
      return stringText(value, embedded);
    case "float":
    case "double": {
      const number = floatingOf(value);
      if (number === undefined) throw wrongClass(schema, value);
      return schema.type === "float" ? javaFloat(number) : javaDouble(number);
    }
    case "bytes":
      if (schema.name === logicalName.decimal) return decimalString(schema, value);
      return stringText(bytesOf(schema, value).toString("base64"), embedded);
    case "array":
      if (!Array.isArray(value)) throw wrongClass(schema, value);
      return `[${value.map((item) => headerText(schema.values, item, true)).join(",")}]`;
    case "map":
      return members(
        entriesOf(schema, value).map(([key, item]) => [
          headerText(schema.keys, key, true),
          headerText(schema.values, item, true),
        ]),
      );
    case "struct":
      return structText(schema, value);
    default: {
      const ms = temporalMs(schema, value);
      return ms === undefined ? writePayload(schema, value, strict) : momentText(ms);
    }
  }
}

function schemalessText(value: JsonValue, embedded: boolean): string {
  if (typeof value === "string") return stringText(value, embedded);
  if (value instanceof Floating) return javaDouble(value.value);
  if (Array.isArray(value))
    return `[${value.map((item) => headerText(null, item, true)).join(",")}]`;
  if (!(value instanceof Map)) return String(value === 0 ? 0 : value);
  return members(
    [...value].map(([name, member]) => [stringText(name, true), headerText(null, member, true)]),
  );
}

function structText(schema: Schema, value: JsonValue): string {
  if (!(value instanceof Map)) throw wrongClass(schema, value);
  return members(
    schema.fields.map((field) => {
      const member = value.get(field.name) ?? field.schema.default;
      return [stringText(field.name, true), headerText(field.schema, member, true)];
    }),
  );
}

/** The same of a value that is in no place: classes tell what schemas tell above. */
export function headerValueText(value: ConnectValue, embedded = false): string {
  if (Array.isArray(value)) {
    return `[${value.map((item) => headerValueText(item, true)).join(",")}]`;
  }
  if (value instanceof Map) return pairsText([...value]);
  if (!(value instanceof Tagged)) return headerText(null, value as JsonValue, embedded);
  const { type, content } = value;
  switch (type) {
    case "string":
    case "bytes":
      return stringText(content as string, embedded);
    case "date":
      return momentText(Number(content));
    case "list":
      return headerValueText(content as ContentOf["list"]);
    case "map":
      return pairsText(content as ContentOf["map"]);
    case "struct": {
      const struct = content as ContentOf["struct"];
      return pairsText(
        struct.schema.fields.map(({ name, schema }) => {
          const stored = struct.value.get(name) ?? schema.default;
          return [name, moved(schema, stored, null)];
        }),
      );
    }
    default:
      return shownValue(value);
  }
}

function pairsText(pairs: ContentOf["map"]): string {
  return members(
    pairs.map(([key, item]) => [headerValueText(key, true), headerValueText(item, true)]),
  );
}

function members(pairs: readonly (readonly [string, string])[]): string {
  return `{${pairs.map(([name, value]) => `${name}:${value}`).join(",")}}`;
}

function stringText(value: string, embedded: boolean): string {
  return embedded ? `"${value.replace(/[\\"]/g, "\\$&")}"` : value;
}

/** By its value, not by its type: what lies before the second day is a time. */
export function momentText(ms: number): string {
  if (ms < dayMs) return isoTime(ms);
  return ms % dayMs === 0 ? isoDate(ms) : `${isoDate(ms)}T${isoTime(ms)}`;
}
