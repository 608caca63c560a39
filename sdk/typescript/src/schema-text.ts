import { jsonWriter, writeJson, writeString } from "./canonical-json.ts";
import { readExact } from "./exact-json.ts";
import { DataError } from "./plugin-error.ts";
import type { Schema, SchemaType } from "./schema.ts";
import { valueReader } from "./value-reader.ts";

const texts = new WeakMap<Schema, string>();

/** The schema exactly as JsonConverter writes it; made once per schema. */
export function schemaText(schema: Schema): string {
  let text = texts.get(schema);
  if (text === undefined) {
    text = write(schema, undefined);
    texts.set(schema, text);
  }
  return text;
}

function write(schema: Schema, field: string | undefined): string {
  const members = [`"type":"${schema.type}"`];
  if (schema.type === "struct") {
    const fields = (schema.fields ?? []).map((one) => write(one.schema, one.field));
    members.push(`"fields":[${fields.join(",")}]`);
  } else if (schema.type === "array") {
    members.push(`"items":${writePart(schema.items)}`);
  } else if (schema.type === "map") {
    members.push(`"keys":${writePart(schema.keys)}`, `"values":${writePart(schema.values)}`);
  }
  members.push(`"optional":${schema.optional}`);
  if (schema.name !== undefined) members.push(`"name":${writeString(schema.name)}`);
  if (schema.version !== undefined) members.push(`"version":${schema.version}`);
  if (schema.doc !== undefined) members.push(`"doc":${writeString(schema.doc)}`);
  if (schema.parameters !== undefined) members.push(`"parameters":${writeJson(schema.parameters)}`);
  if (schema.default !== undefined) members.push(`"default":${jsonWriter(schema)(schema.default)}`);
  if (field !== undefined) members.push(`"field":${writeString(field)}`);
  return `{${members.join(",")}}`;
}

function writePart(schema: Schema | null | undefined): string {
  return schema ? write(schema, undefined) : "null";
}

const types: ReadonlySet<string> = new Set<SchemaType>([
  "int8",
  "int16",
  "int32",
  "int64",
  "float",
  "double",
  "boolean",
  "string",
  "bytes",
  "array",
  "map",
  "struct",
]);

/** A schema from its text. @throws DataError */
export function parseSchema(text: string): Schema {
  return fromTree(readExact(text));
}

function fromTree(tree: unknown): Schema {
  if (!(tree instanceof Map)) throw new DataError("a schema is a JSON object");
  const type = tree.get("type");
  if (typeof type !== "string" || !types.has(type)) {
    throw new DataError(`Unknown schema type: ${String(type)}`);
  }
  const parts: { -readonly [K in keyof Schema]: Schema[K] } = {
    type: type as SchemaType,
    optional: tree.get("optional") === true,
  };
  const name = tree.get("name");
  if (typeof name === "string") parts.name = name;
  const doc = tree.get("doc");
  if (typeof doc === "string") parts.doc = doc;
  const version = tree.get("version");
  if (typeof version === "number") parts.version = version;
  const parameters = tree.get("parameters");
  if (parameters instanceof Map) parts.parameters = parametersOf(parameters);
  const fields = tree.get("fields");
  if (Array.isArray(fields)) parts.fields = fields.map(fieldOf);
  for (const part of ["items", "keys", "values"] as const) {
    const of = tree.get(part);
    if (of instanceof Map) parts[part] = fromTree(of);
  }
  const given = tree.get("default");
  if (given !== undefined && given !== null) parts.default = valueReader(parts)(given);
  return Object.freeze(parts);
}

function fieldOf(tree: unknown): { field: string; schema: Schema } {
  return { field: String(tree instanceof Map ? tree.get("field") : ""), schema: fromTree(tree) };
}

function parametersOf(tree: ReadonlyMap<string, unknown>): Record<string, string> {
  return Object.fromEntries(Array.from(tree, ([name, value]) => [name, String(value)]));
}
