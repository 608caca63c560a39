import type { Header, SourcePartition, SourceRecord } from "@bulkhead/sdk";
import { membersOf, withObjects } from "./plain-json.ts";

/** What a line of the program says. */
export type ProgramLine =
  | { readonly at: "record"; readonly record: SourceRecord }
  /** The program wants to know how far this partition is committed. */
  | { readonly at: "question"; readonly partition: SourcePartition };

const memberNames =
  "topic key keyBase64 value valueBase64 headers timestamp partition sourcePartition sourceOffset".split(
    " ",
  );
const known = new Set(memberNames);

/**
 * Reads a line of `format=records`, which is JSON data by now. A record without sourceOffset gets none here.
 * @throws Error with what is wrong with the line, without its text
 */
export function parseRecordLine(line: unknown, topic: string): ProgramLine {
  const members = membersOf(line);
  if (members === undefined) throw new Error("it is not a JSON object");
  const question = members.get("offsetOf");
  if (question !== undefined) {
    if (members.size > 1) throw new Error("offsetOf stands alone");
    return { at: "question", partition: jsonObject(question, "offsetOf") };
  }
  for (const name of members.keys()) {
    if (!known.has(name)) {
      throw new Error(`there is no member ${quoted(name)}; a record has ${memberNames.join(", ")}`);
    }
  }
  if (!members.has("value") && !members.has("valueBase64")) {
    throw new Error("it has no value; null is a tombstone");
  }
  const [sourcePartition, sourceOffset] = offsetOf(members);
  return {
    at: "record",
    record: {
      topic: textOr(members, "topic", topic),
      key: either(members, "key", "keyBase64"),
      value: either(members, "value", "valueBase64"),
      headers: headersOf(members.get("headers")),
      timestamp: whole(members, "timestamp", Number.MAX_SAFE_INTEGER),
      partition: whole(members, "partition", 2_147_483_647),
      sourcePartition,
      sourceOffset,
    },
  };
}

type Members = ReadonlyMap<string, unknown>;

function offsetOf(members: Members) {
  const partition = members.get("sourcePartition");
  const offset = members.get("sourceOffset");
  if (partition !== undefined && offset === undefined) {
    throw new Error("a sourcePartition needs a sourceOffset");
  }
  return [
    partition === undefined ? undefined : jsonObject(partition, "sourcePartition"),
    offset === undefined ? undefined : jsonObject(offset, "sourceOffset"),
  ] as const;
}

function jsonObject(value: unknown, name: string): Record<string, unknown> {
  if (membersOf(value) === undefined) throw new Error(`${name} is not an object`);
  return withObjects(value) as Record<string, unknown>;
}

function textOr(members: Members, name: string, otherwise: string): string {
  const value = members.get(name) ?? otherwise;
  if (typeof value === "string" && value !== "") return value;
  throw new Error(`${name} is not a text of at least one character`);
}

function whole(members: Members, name: string, max: number): number | undefined {
  const value = members.get(name);
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max) {
    return value;
  }
  throw new Error(`${name} is not a whole number from 0 to ${max}`);
}

/** JSON data, or the bytes of its base64 text. */
function either(members: Members, name: string, base64Name: string): unknown {
  const base64 = members.get(base64Name);
  if (base64 === undefined) return members.get(name) ?? null;
  if (members.has(name)) throw new Error(`${name} and ${base64Name} exclude each other`);
  if (base64 === null) return null;
  if (typeof base64 !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) {
    throw new Error(`${base64Name} is not base64`);
  }
  return Buffer.from(base64, "base64");
}

function headersOf(value: unknown): readonly Header[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw new Error("headers is not a list of objects");
  return value.map((one) => {
    const members = membersOf(one);
    const name = members?.get("name");
    if (members === undefined || typeof name !== "string") {
      throw new Error('a header is {"name": a text, "value": anything}');
    }
    return { name, value: either(members, "value", "valueBase64") };
  });
}

function quoted(name: string): string {
  return JSON.stringify(name.length > 40 ? `${name.slice(0, 40)}…` : name);
}
