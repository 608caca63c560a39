/** What transforms ask of the value that they treat, with Connect's texts (its Requirements class). */
import type { Data } from "../record/connect-record.ts";
import { javaError } from "../record/java-error.ts";
import { contentOf, javaNameOf, typeOf } from "../record/java-value.ts";
import { invalid } from "../record/payload.ts";
import type { Field, Schema } from "../record/schema.ts";
import {
  type ConnectObject,
  type ConnectValue,
  type StructContent,
  Tagged,
} from "../record/value.ts";

/** A map without schema. Its keys are texts. @throws RecordError for anything else */
export function mapOf({ schema, value }: Data, purpose: string): ConnectObject {
  if (value instanceof Map && typeOf(schema, value) === "map") return value;
  if (value instanceof Tagged && value.type === "map") {
    const pairs = (value as Tagged<"map">).content;
    return new Map(pairs.map(([key, item]) => [String(key), item]));
  }
  throw invalid(
    `Only Map objects supported in absence of schema for [${purpose}], found: ${javaNameOf(schema, value)}`,
  );
}

/** A copy of a map without schema, whatever its keys are. @throws RecordError for anything else */
export function copyOfMap(data: Data, purpose: string): Map<ConnectValue, ConnectValue> {
  const { value } = data;
  if (value instanceof Tagged && value.type === "map") {
    return new Map((value as Tagged<"map">).content);
  }
  return new Map(mapOf(data, purpose));
}

/**
 * A map without schema to change: the record's own, or a copy where its keys are not all texts. The map or
 * struct that is a record's key or value belongs to that record alone; what is in it may be shared.
 * @throws RecordError for anything else
 */
export function ownMap(data: Data, purpose: string): Map<ConnectValue, ConnectValue> {
  const { value } = data;
  return value instanceof Map ? mapOf(data, purpose) : copyOfMap(data, purpose);
}

/** Where a struct's changed fields go: into itself if it is the record's own, else into a new one. */
export function changedStruct({ value }: Data, struct: StructContent): ConnectObject {
  return struct.value === value ? struct.value : new Map(struct.value);
}

/** What has become a record's key or value and may still be elsewhere, for the record alone. */
export function owned(value: ConnectValue): ConnectValue {
  return value instanceof Map ? new Map(value) : value;
}

/** Such a map as a value again. */
export function mapValue(map: Map<ConnectValue, ConnectValue>): ConnectValue {
  for (const key of map.keys()) {
    if (typeof key !== "string") return new Tagged("map", [...map]);
  }
  return map as ConnectObject;
}

/** A map's key as the name of a field. @throws RecordError for other keys than texts, as Java's cast */
export function textKey(key: ConnectValue): string {
  if (typeof key === "string") return key;
  const javaName = javaNameOf(null, key);
  throw javaError(
    "ClassCastException",
    `class ${javaName} cannot be cast to class java.lang.String: a key of the map is no text`,
  );
}

/** A struct with its own schema. @throws RecordError for anything else */
export function structOf({ schema, value }: Data, purpose: string): StructContent {
  if (typeOf(schema, value) === "struct") return contentOf("struct", schema, value);
  throw invalid(
    `Only Struct objects supported for [${purpose}], found: ${javaNameOf(schema, value)}`,
  );
}

/** As `Struct.get`, or `getWithoutDefault`; the value is under the field's schema. */
export function fieldOf(
  struct: ConnectObject,
  { name, schema }: Field,
  replaceNull: boolean,
): ConnectValue {
  return orDefault(struct.get(name), schema, replaceNull);
}

/** A member as `fieldOf` gives it; undefined = it is not there. */
export function orDefault(
  member: ConnectValue | undefined,
  schema: Schema,
  replaceNull: boolean,
): ConnectValue {
  const value = member ?? null;
  return value === null && replaceNull ? schema.default : value;
}
