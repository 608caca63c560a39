/** A value in a message, as Java's `toString` shows it. */
import { javaDate } from "./java-calendar.ts";
import { javaString } from "./java-string.ts";
import { javaBytes, javaDouble, javaFloat } from "./java-text.ts";
import { moved } from "./java-value.ts";
import { decodeBase64, formatDecimal } from "./logical.ts";
import type { Schema } from "./schema.ts";
import { type ConnectValue, type ContentOf, type JsonValue, Tagged } from "./value.ts";

/** A value that is not of the class its place wants, so tagged, or one without a schema. */
export function shownValue(value: ConnectValue): string {
  if (Array.isArray(value)) return `[${value.map(shownValue).join(", ")}]`;
  if (value instanceof Map) return shownPairs([...value]);
  if (!(value instanceof Tagged)) return javaString(null, value as JsonValue);
  const { content } = value;
  switch (value.type) {
    case "float32":
      return javaFloat(content as number);
    case "float64":
      return javaDouble(content as number);
    case "bytes":
      return javaBytes(decodeBase64(content as string) ?? new Uint8Array(0));
    case "decimal":
      return formatDecimal(content as ContentOf["decimal"]);
    case "date":
      return javaDate(Number(content));
    case "list":
      return shownValue(content as ContentOf["list"]);
    case "map":
      return shownPairs(content as ContentOf["map"]);
    case "struct":
      return shownStruct(content as ContentOf["struct"]);
    default:
      return String(content);
  }
}

function shownPairs(pairs: ContentOf["map"]): string {
  return `{${pairs.map(([key, item]) => `${shownValue(key)}=${shownValue(item)}`).join(", ")}}`;
}

function shownStruct({ schema, value }: ContentOf["struct"]): string {
  const members: string[] = [];
  for (const field of schema.fields) {
    const member = value.get(field.name) ?? null;
    if (member !== null) members.push(`${field.name}=${shownUnder(field.schema, member)}`);
  }
  return `Struct{${members.join(",")}}`;
}

function shownUnder(schema: Schema, value: ConnectValue): string {
  if (schema.type === "struct" && !(value instanceof Tagged)) {
    return shownStruct({ schema, value: value as ContentOf["struct"]["value"] });
  }
  return shownValue(moved(schema, value, null));
}
