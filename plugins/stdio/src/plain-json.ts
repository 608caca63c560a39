import { Decimal, Double, readExact } from "@bulkhead/sdk";

// Integers beyond 2^53, 1.0 and 1e3 lose something in JSON.parse; a text with such digits costs time.
const mayLose = /\d{16}|\d\.\d|\d[eE]/;

/** A JSON text as data: integers of any size are kept, and 1.0 stays no integer. @throws Error */
export function readJson(text: string): unknown {
  return mayLose.test(text) ? readExact(text) : JSON.parse(text);
}

/** The members of an object that either way of reading gave; undefined = no object. */
export function membersOf(value: unknown): ReadonlyMap<string, unknown> | undefined {
  if (value instanceof Map) return value;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return value instanceof Double ? undefined : new Map(Object.entries(value));
}

/** The same data with objects in place of maps. */
export function withObjects(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withObjects);
  if (!(value instanceof Map)) return value;
  return Object.fromEntries([...value].map(([name, one]) => [name, withObjects(one)]));
}

/**
 * JSON text of anything a record can hold. Bytes become base64, dates ISO 8601, decimals text, maps
 * objects where every key is a text and else lists of pairs.
 */
export function jsonText(value: unknown): string {
  switch (typeof value) {
    case "bigint":
      return String(value);
    case "number":
      return Number.isFinite(value) ? String(value) : `"${value}"`;
    case "undefined":
      return "null";
    case "object":
      return value === null ? "null" : objectText(value);
    default:
      return JSON.stringify(value);
  }
}

function objectText(value: object): string {
  if (value instanceof Uint8Array) return `"${base64(value)}"`;
  if (value instanceof Date) return JSON.stringify(value);
  if (value instanceof Decimal) return `"${value}"`;
  if (value instanceof Double) return Number.isFinite(value.value) ? String(value) : `"${value}"`;
  if (Array.isArray(value)) return `[${value.map(jsonText).join(",")}]`;
  if (value instanceof Map) {
    const pairs = [...value];
    if (!pairs.every(([name]) => typeof name === "string")) return jsonText(pairs);
    return `{${pairs.map(([name, one]) => `${JSON.stringify(name)}:${jsonText(one)}`).join(",")}}`;
  }
  const members = Object.entries(value).filter(([, one]) => one !== undefined);
  return `{${members.map(([name, one]) => `${JSON.stringify(name)}:${jsonText(one)}`).join(",")}}`;
}

/** As JSON has no bytes. */
export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}
