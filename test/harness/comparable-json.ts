/** Records and values in the notation of the goldens, made comparable. */
import { Floating, type JsonObject, type JsonValue } from "../../src/record/value.ts";

/** A text that is the same for the same record: neither the order of members counts, nor how a number is written. */
export function comparableJson(json: JsonValue): string {
  return JSON.stringify(plain(json, undefined));
}

/** `schema` is the JSON of what the value is under, for floats have 32 bits however they are written. */
function plain(value: JsonValue, schema: JsonValue | undefined): unknown {
  if (value instanceof Floating) {
    const number = part(schema, "type") === "float" ? Math.fround(value.value) : value.value;
    return `#${Object.is(number, -0) ? "-0" : number}`;
  }
  if (typeof value === "bigint") return `#${value}`;
  if (Array.isArray(value)) return value.map((item) => plain(item, part(schema, "items")));
  if (!(value instanceof Map)) return value;
  const members = [...value].map(([name, member]): [string, unknown] => [
    name,
    plain(member, schemaOf(value, name, schema)),
  ]);
  return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function schemaOf(object: JsonObject, name: string, schema: JsonValue | undefined) {
  if (object.has("schema") && name === "value") return object.get("schema");
  const fields = part(schema, "fields");
  if (!Array.isArray(fields)) return part(schema, "values");
  return fields.find((field) => part(field, "field") === name);
}

function part(json: JsonValue | undefined, name: string): JsonValue | undefined {
  return json instanceof Map ? json.get(name) : undefined;
}
