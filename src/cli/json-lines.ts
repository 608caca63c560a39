/** JSON for people: indented, with every number as it was written. */
import { parseExactJson } from "../record/exact-json.ts";
import { Floating, type JsonObject, type JsonValue } from "../record/value.ts";

/** A JSON text as indented lines. @throws RecordError for one that is not JSON */
export function jsonLines(text: string): string[] {
  return indented(parseExactJson(text), "");
}

function indented(json: JsonValue, indent: string): string[] {
  const deeper = `${indent}  `;
  if (json instanceof Map && json.size > 0) {
    return [`${indent}{`, ...members(json, deeper), `${indent}}`];
  }
  if (Array.isArray(json) && json.length > 0) {
    const items = json.map((item) => indented(item, deeper));
    return [`${indent}[`, ...items.flat(), `${indent}]`];
  }
  return [indent + scalar(json)];
}

function members(object: JsonObject, indent: string): string[] {
  return [...object].flatMap(([name, member]) => {
    const [first = "", ...rest] = indented(member, indent);
    return [`${indent}${JSON.stringify(name)}: ${first.trimStart()}`, ...rest];
  });
}

function scalar(json: JsonValue): string {
  if (json instanceof Floating) return json.text;
  if (json instanceof Map) return "{}";
  if (Array.isArray(json)) return "[]";
  return typeof json === "bigint" ? String(json) : JSON.stringify(json);
}
