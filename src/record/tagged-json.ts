/**
 * Records and values as JSON without loss: the notation of `bulkhead transform --json-lines`. Under a
 * schema a value is JsonConverter's payload; what a payload cannot say is an object with one member that
 * begins with `$`: `{"$int8": 5}`, `{"$date": 0}`, `{"$map": [[k, v]]}`.
 */
import { plainStyle, writeJsonString, writePayload } from "./canonical-json.ts";
import { type ConnectRecord, type Data, type Header, headerOf } from "./connect-record.ts";
import { javaDouble, javaFloat } from "./java-text.ts";
import { contentOf, inOrder, typeOf, valueIn } from "./java-value.ts";
import { formatDecimal, parseDecimal } from "./logical.ts";
import { invalid } from "./payload.ts";
import { hasStringKeys, type Schema } from "./schema.ts";
import { readSchema, writeSchemaText } from "./schema-text.ts";
import {
  type ConnectArray,
  type ConnectObject,
  type ConnectValue,
  type ContentOf,
  Floating,
  type JsonObject,
  type JsonValue,
  Tagged,
  type ValueType,
} from "./value.ts";

/** Reads `{"schema": …, "value": …}`. @throws RecordError for what is no such thing */
export function readData(json: JsonValue): Data {
  const members = objectOf(json, "a key, value or header");
  const reading = { openItems: true, structDefaults: true };
  const schema = readSchema(members.get("schema") ?? null, reading);
  return { schema, value: readValue(schema, members.get("value") ?? null) };
}

/** A value in the place of a schema, or of none. @throws RecordError for an unknown tag */
export function readValue(schema: Schema | null, json: JsonValue): ConnectValue {
  if (json === null) return null;
  const tagged = json instanceof Map ? readTag(schema, json) : undefined;
  if (tagged !== undefined) return tagged;
  if (Array.isArray(json)) return readItems(schema, json);
  if (!(json instanceof Map)) return json;
  const read: ConnectObject = inOrder(new Map());
  for (const [name, member] of json) read.set(name, readValue(memberSchema(schema, name), member));
  return read;
}

function readItems(schema: Schema | null, json: readonly JsonValue[]): ConnectValue {
  if (schema?.type !== "map") {
    return json.map((item) => readValue(schema?.values ?? null, item));
  }
  const pairs = json.map((pair) => {
    const [key = null, item = null] = pair as JsonValue[];
    return [readValue(schema.keys, key), readValue(schema.values, item)];
  });
  return inOrder(pairs);
}

function memberSchema(schema: Schema | null, name: string): Schema | null {
  if (schema?.type !== "struct") return schema?.values ?? null;
  return schema.fields.find((field) => field.name === name)?.schema ?? null;
}

/** Undefined for an object that is no tag. A struct or map may have such a member of its own. */
function readTag(schema: Schema | null, json: JsonObject): ConnectValue | undefined {
  if (json.size !== 1) return undefined;
  const [tag, inner] = [...json][0] as [string, JsonValue];
  const isMember = schema?.type === "struct" && memberSchema(schema, tag) !== null;
  if (!tag.startsWith("$") || isMember) return undefined;
  const type = tag.slice(1) as ValueType;
  if (!Object.hasOwn(readers, type)) {
    if (schema?.type === "map") return undefined;
    throw invalid(`there is no tag ${tag}`);
  }
  // A tag may say no more than the place does.
  return valueIn(schema, type, readers[type](inner));
}

const readers: Readonly<Record<ValueType, (json: JsonValue) => ContentOf[ValueType]>> = {
  int8: (json) => json as number,
  int16: (json) => json as number,
  int32: (json) => json as number,
  int64: (json) => json as number | bigint,
  float32: numberOf,
  float64: numberOf,
  boolean: (json) => json === true,
  string: String,
  bytes: String,
  decimal: (json) => {
    const decimal = parseDecimal(textOf(json));
    if (decimal === undefined) throw invalid(`${textOf(json)} is no decimal`);
    return decimal;
  },
  bigint: (json) => BigInt(textOf(json)),
  date: (json) => json as number | bigint,
  list: (json) => (json as JsonValue[]).map((item) => readValue(null, item)),
  map: (json) =>
    inOrder(
      (json as JsonValue[][]).map(([key = null, item = null]) => [
        readValue(null, key),
        readValue(null, item),
      ]),
    ),
  struct: (json) => {
    const { schema, value } = readData(json);
    if (schema === null) throw invalid("a $struct has no schema");
    return { schema, value: value as ConnectObject };
  },
};

function numberOf(json: JsonValue): number {
  return Number(textOf(json));
}

function textOf(json: JsonValue): string {
  return json instanceof Floating ? json.text : String(json);
}

function objectOf(json: JsonValue | undefined, what: string): JsonObject {
  if (json instanceof Map) return json;
  throw invalid(`${what} is not an object`);
}

/** Reads a record; what is left out has the notation's defaults. @throws RecordError */
export function readRecord(json: JsonValue): ConnectRecord {
  const members = objectOf(json, "the record");
  const kind = members.get("kind") ?? "sink";
  if (kind !== "sink" && kind !== "source") throw invalid(`there is no kind of record ${kind}`);
  const isSink = kind === "sink";
  const timestamp = (members.get("timestamp") ?? null) as number | bigint | null;
  const headers = (members.get("headers") ?? []) as JsonValue[];
  return {
    kind,
    topic: String(members.get("topic") ?? "topic"),
    partition: (members.get("partition") ?? (isSink ? 0 : null)) as number | null,
    offset: (members.get("offset") ?? 0) as number | bigint,
    timestamp,
    timestampType: isSink && timestamp !== null ? 1 : 0,
    key: readData(members.get("key") ?? new Map()),
    value: readData(members.get("value") ?? new Map()),
    headers: headers.map((each): Header => {
      const name = objectOf(each, "a header").get("key");
      return headerOf(String(name), readData(each));
    }),
  };
}

/** The record in the same notation. */
export function writeRecord(record: ConnectRecord): string {
  const { kind, topic, partition, offset, timestamp, key, value, headers } = record;
  const place = kind === "sink" ? `,"offset":${offset}` : "";
  const written = headers.map(({ name, ...data }) => {
    return `{"key":${writeJsonString(name)},${dataMembers(data)}}`;
  });
  return (
    `{"kind":"${kind}","topic":${writeJsonString(topic)},"partition":${partition}${place},` +
    `"timestamp":${timestamp},"key":${writeData(key)},"value":${writeData(value)},` +
    `"headers":[${written.join(",")}]}`
  );
}

/** `{"schema":…,"value":…}` */
export function writeData(data: Data): string {
  return `{${dataMembers(data)}}`;
}

function dataMembers({ schema, value }: Data): string {
  return `"schema":${writeSchemaText(schema, plainStyle)},"value":${writeValue(schema, value)}`;
}

/** A value in its place. */
export function writeValue(schema: Schema | null, value: ConnectValue): string {
  if (value === null) return "null";
  if (value instanceof Tagged) return writeTagged(value);
  if (schema === null && value instanceof Floating) {
    const text = javaDouble(value.value);
    return Number.isFinite(value.value) ? text : `{"$float64":"${text}"}`;
  }
  const type = typeOf(schema, value);
  if (type === "list") {
    const items = (value as ConnectArray).map((item) => writeValue(schema?.values ?? null, item));
    return `[${items.join(",")}]`;
  }
  if (type === "map") return writeMap(schema, value);
  if (type === "struct") return writeStruct(schema as Schema, value as ConnectObject);
  return writePayload(schema, value as JsonValue, plainStyle);
}

function writeMap(schema: Schema | null, value: ConnectValue): string {
  if (schema !== null && !hasStringKeys(schema)) {
    const { keys, values } = schema;
    const pairs = (value as unknown as [ConnectValue, ConnectValue][]).map(
      ([key, item]) => `[${writeValue(keys, key)},${writeValue(values, item)}]`,
    );
    return `[${pairs.join(",")}]`;
  }
  const map = value as ConnectObject;
  const looksTagged = map.size === 1 && [...map.keys()][0]?.startsWith("$") === true;
  if (schema === null && looksTagged) {
    return writeTagged(new Tagged("map", contentOf("map", null, value)));
  }
  return writeMembers([...map], () => schema?.values ?? null);
}

function writeStruct(schema: Schema, value: ConnectObject): string {
  const members = schema.fields.map(({ name }): [string, ConnectValue] => [
    name,
    value.get(name) ?? null,
  ]);
  return writeMembers(members, (at) => schema.fields[at]?.schema ?? null);
}

function writeMembers(
  members: readonly (readonly [string, ConnectValue])[],
  schemaAt: (at: number) => Schema | null,
): string {
  const texts = members.map(
    ([name, member], at) => `${writeJsonString(name)}:${writeValue(schemaAt(at), member)}`,
  );
  return `{${texts.join(",")}}`;
}

function writeTagged({ type, content }: Tagged): string {
  return `{"$${type}":${writeContent(type, content)}}`;
}

function writeContent(type: ValueType, content: ContentOf[ValueType]): string {
  switch (type) {
    case "float32":
    case "float64": {
      const text =
        type === "float32" ? javaFloat(content as number) : javaDouble(content as number);
      return Number.isFinite(content as number) ? text : `"${text}"`;
    }
    case "string":
    case "bytes":
      return writeJsonString(content as string);
    case "decimal":
      return `"${formatDecimal(content as ContentOf["decimal"])}"`;
    case "bigint":
      return `"${content}"`;
    case "list":
      return `[${(content as ConnectArray).map((item) => writeValue(null, item)).join(",")}]`;
    case "map": {
      const pairs = (content as ContentOf["map"]).map(
        ([key, item]) => `[${writeValue(null, key)},${writeValue(null, item)}]`,
      );
      return `[${pairs.join(",")}]`;
    }
    case "struct":
      return writeData(content as ContentOf["struct"]);
    default:
      return String(content);
  }
}
