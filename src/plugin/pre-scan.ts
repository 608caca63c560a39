/**
 * Counts what a message holds before it is decoded: two million empty sub-messages fit into four
 * megabytes and would take seconds and hundreds of megabytes to build.
 */
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { WireReader } from "./columns-decode.ts";
import { protocolError } from "./protocol-error.ts";

const fieldsMax = 200_000;
const depthMax = 32;

interface Budget {
  fields: number;
}

/** @throws TaskError `plugin.protocol_error` when a message is too deep, too full or truncated. */
export function preScan(schema: DescMessage, message: Uint8Array): void {
  scan(schema, new WireReader(message, 0, message.length), { fields: fieldsMax }, 1);
}

function scan(schema: DescMessage, reader: WireReader, budget: Budget, depth: number): void {
  if (depth > depthMax)
    throw protocolError(`a ${schema.name} is nested more than ${depthMax} deep`);
  const children = childrenOf(schema);
  while (!reader.done) {
    budget.fields -= 1;
    if (budget.fields < 0) throw protocolError(`a message has more than ${fieldsMax} fields`);
    const tag = reader.tag();
    const child = (tag & 7) === 2 ? children.get(tag >>> 3) : undefined;
    if (child === undefined) reader.skip(tag);
    else if (child === "map") reader.nested();
    else scan(child, reader.nested(), budget, depth + 1);
  }
}

type Child = DescMessage | "map";

const known = new Map<DescMessage, Map<number, Child>>();

/** Which fields hold messages, by number. Maps here have plain values. */
function childrenOf(schema: DescMessage): Map<number, Child> {
  let children = known.get(schema);
  if (children === undefined) {
    children = new Map();
    for (const field of schema.fields) {
      const child = childOf(field);
      if (child !== undefined) children.set(field.number, child);
    }
    known.set(schema, children);
  }
  return children;
}

function childOf(field: DescField): Child | undefined {
  if (field.fieldKind === "message") return field.message;
  if (field.fieldKind === "list" && field.listKind === "message") return field.message;
  return field.fieldKind === "map" ? "map" : undefined;
}
