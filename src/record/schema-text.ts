/** Schemas as JsonConverter writes them: `{"type":"int32","optional":false}`. */
import { RecordError } from "../base/error.ts";
import { type PayloadStyle, writeJsonString, writePayload } from "./canonical-json.ts";
import { parseExactJson } from "./exact-json.ts";
import { invalid, readPayload } from "./payload.ts";
import { type Field, newSchema, type Schema, type SchemaType, schemaTypes } from "./schema.ts";
import { Floating, type JsonObject, type JsonValue } from "./value.ts";

/** Nested deeper than any real schema, and shallow enough for the call stack. */
const depthMax = 200;

export interface SchemaReading {
  /** Arrays and maps may leave their items open, as schemas of parsed headers do. */
  readonly openItems?: boolean;
  /** A struct may have a default, which JsonConverter refuses. */
  readonly structDefaults?: boolean;
  /** Nulls inside a default become the default of their own schema. */
  readonly replaceNull?: boolean;
}

/** Reads the schema text of a form. @throws RecordError with Connect's text. */
export function parseSchemaText(text: string): Schema {
  const schema = readSchema(parseExactJson(text), { openItems: true });
  if (schema === null) throw invalid("the schema of a form is null instead of left out");
  return schema;
}

/**
 * Reads a schema from the JSON of an envelope; null stands for no schema.
 * @throws RecordError `convert.data_invalid` or `convert.schema_invalid` with Connect's text.
 */
export function readSchema(json: JsonValue, reading: SchemaReading = {}, depth = 0): Schema | null {
  if (json === null) return null;
  if (depth > depthMax) throw invalid(`a schema is nested deeper than ${depthMax}`);
  const members = json instanceof Map ? json : new Map<string, JsonValue>();
  const name = members.get("type");
  if (typeof name !== "string") throw invalid("Schema must contain 'type' field");
  const type = schemaTypes.find((each) => each === name);
  if (type === undefined) throw invalid(`Unknown schema type: ${name}`);
  const schema = newSchema(type, {
    ...readParts(type, members, reading, depth),
    optional: members.get("optional") === true,
    name: textOrNull(members.get("name")),
    version: readVersion(members.get("version")),
    doc: textOrNull(members.get("doc")),
    parameters: readParameters(members.get("parameters")),
  });
  const given = members.get("default");
  return given === undefined ? schema : { ...schema, default: readDefault(schema, given, reading) };
}

function readParts(
  type: SchemaType,
  members: JsonObject,
  reading: SchemaReading,
  depth: number,
): Partial<Schema> {
  const part = (name: string, missing: string) => {
    const json = members.get(name);
    if (json === undefined || (json === null && reading.openItems !== true)) throw invalid(missing);
    return readSchema(json, reading, depth + 1);
  };
  if (type === "array") {
    return { values: part("items", "Array schema did not specify the element type") };
  }
  if (type === "map") {
    const keys = part("keys", "Map schema did not specify the key type");
    return { keys, values: part("values", "Map schema did not specify the value type") };
  }
  return type === "struct" ? { fields: readFields(members.get("fields"), reading, depth) } : {};
}

function readFields(json: JsonValue | undefined, reading: SchemaReading, depth: number): Field[] {
  if (!Array.isArray(json)) throw invalid('Struct schema\'s "fields" argument is not an array.');
  const seen = new Set<string>();
  return json.map((each) => {
    const name = each instanceof Map ? each.get("field") : undefined;
    if (typeof name !== "string")
      throw invalid("Struct schema's field name not specified properly");
    const schema = readSchema(each, reading, depth + 1);
    if (name === "") throw unbuildable("fieldName cannot be null.");
    if (seen.has(name)) {
      throw unbuildable(`Cannot create field because of field name duplication ${name}`);
    }
    seen.add(name);
    return { name, schema: schema as Schema };
  });
}

function textOrNull(json: JsonValue | undefined): string | null {
  return typeof json === "string" ? json : null;
}

function readVersion(json: JsonValue | undefined): number | null {
  if (typeof json === "number") return json | 0;
  return typeof json === "bigint" ? Number(BigInt.asIntN(32, json)) : null;
}

function readParameters(json: JsonValue | undefined): ReadonlyMap<string, string> | null {
  if (!(json instanceof Map)) return null;
  for (const value of json.values()) {
    if (typeof value !== "string") throw invalid("Schema parameters must have string values.");
  }
  return json as ReadonlyMap<string, JsonValue> as ReadonlyMap<string, string>;
}

function readDefault(schema: Schema, json: JsonValue, reading: SchemaReading): JsonValue {
  // JsonConverter reads its own "NaN" as 0.0; what plugins say is read as it is meant.
  const unreal = reading.openItems === true ? unrealOf(schema, json) : undefined;
  if (unreal !== undefined) return unreal;
  const value = readPayload(schema, json, { replaceNull: reading.replaceNull ?? true });
  if (value === null && schema.optional) return null;
  // Connect compares a struct's default with an unfinished schema, to which nothing is equal.
  const isRefused = schema.type === "struct" && reading.structDefaults !== true;
  if (value === null || isRefused) throw unbuildable("Invalid default value");
  return value;
}

function unrealOf({ type }: Schema, json: JsonValue): Floating | undefined {
  if (type !== "float" && type !== "double") return undefined;
  if (json !== "NaN" && json !== "Infinity" && json !== "-Infinity") return undefined;
  return new Floating(json);
}

/** What Connect refuses with a SchemaBuilderException. */
function unbuildable(message: string): RecordError {
  return new RecordError("convert.schema_invalid", message);
}

/** The text that JsonConverter puts into its envelope; the style matters for defaults only. */
export function writeSchemaText(schema: Schema | null, style: PayloadStyle): string {
  return schema === null ? "null" : `{${members(schema, style)}}`;
}

function members(schema: Schema, style: PayloadStyle): string {
  let text = `"type":"${schema.type}"`;
  if (schema.type === "array") text += `,"items":${writeSchemaText(schema.values, style)}`;
  if (schema.type === "map") {
    text += `,"keys":${writeSchemaText(schema.keys, style)}`;
    text += `,"values":${writeSchemaText(schema.values, style)}`;
  }
  if (schema.type === "struct") {
    const fields = schema.fields.map(
      (field) => `{${members(field.schema, style)},"field":${writeJsonString(field.name)}}`,
    );
    text += `,"fields":[${fields.join(",")}]`;
  }
  text += `,"optional":${schema.optional}`;
  if (schema.name !== null) text += `,"name":${writeJsonString(schema.name)}`;
  if (schema.version !== null) text += `,"version":${schema.version}`;
  if (schema.doc !== null) text += `,"doc":${writeJsonString(schema.doc)}`;
  if (schema.parameters !== null) {
    const pairs = [...schema.parameters].map(
      ([name, value]) => `${writeJsonString(name)}:${writeJsonString(value)}`,
    );
    text += `,"parameters":{${pairs.join(",")}}`;
  }
  if (schema.default !== null) text += `,"default":${writePayload(schema, schema.default, style)}`;
  return text;
}
