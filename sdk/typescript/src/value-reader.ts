import { Double } from "./canonical-json.ts";
import { Decimal, decodeBigInteger } from "./decimal.ts";
import { readExact } from "./exact-json.ts";
import { DataError } from "./plugin-error.ts";
import { logicalName, type Schema } from "./schema.ts";

/** From a JSON tree (of JSON.parse or of `readExact`) to the value that a sink sees. */
export type ValueReader = (tree: unknown) => unknown;

const dayMs = 86_400_000;
const readers = new WeakMap<Schema, ValueReader>();
// JSON.parse would round such an integer in data without a schema.
const longDigits = /\d{16}/;
/** Thrown and caught here: JSON.parse has rounded an int64. */
const rounded = new RangeError("an integer beyond 2^53");

/** The reader for trees of this schema; made once per schema. */
export function valueReader(schema: Schema): ValueReader {
  let reader = readers.get(schema);
  if (reader === undefined) {
    reader = compile(schema);
    readers.set(schema, reader);
  }
  return reader;
}

/** A JSON text under a schema (null = none) as the value that a sink sees. @throws DataError */
export function readValue(text: string, schema: Schema | null): unknown {
  if (schema === null) return plain(longDigits.test(text) ? readExact(text) : parse(text));
  const read = valueReader(schema);
  try {
    return read(parse(text));
  } catch (error) {
    if (error !== rounded) throw error;
    return read(readExact(text));
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new DataError("not JSON", { cause });
  }
}

/** Data without a schema: objects plain, floats as numbers, integers beyond 2^53 as bigint. */
function plain(tree: unknown): unknown {
  if (typeof tree !== "object" || tree === null) return tree;
  if (tree instanceof Double) return tree.value;
  if (Array.isArray(tree)) return tree.map(plain);
  if (!(tree instanceof Map)) return tree;
  return Object.fromEntries(Array.from(tree, ([name, member]) => [name, plain(member)]));
}

function compile(schema: Schema): ValueReader {
  const read = compileRequired(schema);
  return (tree) => (tree === null || tree === undefined ? null : read(tree));
}

function compileRequired(schema: Schema): ValueReader {
  switch (schema.type) {
    case "int8":
    case "int16":
    case "string":
    case "boolean":
      return asIs;
    case "float":
    case "double":
      return Number;
    case "int32":
      if (schema.name === logicalName.date) return (tree) => new Date(Number(tree) * dayMs);
      if (schema.name === logicalName.time) return (tree) => new Date(Number(tree));
      return asIs;
    case "int64":
      if (schema.name === logicalName.timestamp) return (tree) => new Date(Number(tree));
      return (tree) => {
        if (typeof tree === "number" && !Number.isSafeInteger(tree)) throw rounded;
        return BigInt(tree as number | bigint);
      };
    case "bytes": {
      if (schema.name !== logicalName.decimal) return bytesOf;
      const scale = Number(schema.parameters?.["scale"]);
      return (tree) => new Decimal(decodeBigInteger(bytesOf(tree)), scale);
    }
    case "array": {
      const item = schema.items ? valueReader(schema.items) : plain;
      return (tree) => (tree as unknown[]).map(item);
    }
    case "map":
      return mapReader(schema);
    case "struct":
      return structReader(schema);
  }
}

function asIs(tree: unknown): unknown {
  return tree;
}

function bytesOf(tree: unknown): Uint8Array {
  return Buffer.from(String(tree), "base64");
}

function mapReader(schema: Schema): ValueReader {
  const key = schema.keys ? valueReader(schema.keys) : plain;
  const item = schema.values ? valueReader(schema.values) : plain;
  return (tree) => {
    const map = new Map<unknown, unknown>();
    if (Array.isArray(tree)) for (const [name, value] of tree) map.set(key(name), item(value));
    else for (const [name, value] of entriesOf(tree)) map.set(name, item(value));
    return map;
  };
}

function structReader(schema: Schema): ValueReader {
  const fields = schema.fields ?? [];
  const names = fields.map((field) => field.field);
  const reads = fields.map((field) => valueReader(field.schema));
  return (tree) => {
    const members =
      tree instanceof Map ? Object.fromEntries(tree) : (tree as Record<string, unknown>);
    const struct: Record<string, unknown> = {};
    for (let at = 0; at < names.length; at += 1) {
      const name = names[at]!;
      struct[name] = reads[at]!(members[name]);
    }
    return struct;
  };
}

function entriesOf(tree: unknown): Iterable<[string, unknown]> {
  return tree instanceof Map ? tree : Object.entries(tree as object);
}
