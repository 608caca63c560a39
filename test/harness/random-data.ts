/** Schemas and values made from a seed, for tests that compare two ways to the same bytes. */
import { logicalName } from "../../src/record/logical.ts";
import { newSchema, type Schema, type SchemaType } from "../../src/record/schema.ts";
import { Floating, type JsonValue } from "../../src/record/value.ts";

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type Random = () => number;

const leaves: SchemaType[] = [
  "int8",
  "int16",
  "int32",
  "int64",
  "float",
  "double",
  "boolean",
  "string",
  "bytes",
];
const strings = ["", "a", "null", 'q"\\\n\u0001', "é€😀", "\ud800", "x".repeat(70), "\u007f/"];
const longs = [0, 1, -1, 9_007_199_254_740_991, 9_223_372_036_854_775_807n, -(1n << 63n)];
const doubles = ["0.0", "-0.0", "1.5", "1.0E10", "1.0E-5", "123456.789", "1.7976931348623157E308"];

function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)] as T;
}

export function randomSchema(random: Random, depth = 0): Schema {
  const optional = random() < 0.4;
  const kind = random();
  if (depth < 3 && kind < 0.35) {
    const count = Math.floor(random() * 5);
    const fields = Array.from({ length: count }, (_, index) => ({
      name: pick(random, ["a", "b.c", "ü", '"q"', "1"]) + index,
      schema: randomSchema(random, depth + 1),
    }));
    return newSchema("struct", { optional, fields });
  }
  if (depth < 3 && kind < 0.5) {
    return newSchema("array", { optional, values: randomSchema(random, depth + 1) });
  }
  if (depth < 3 && kind < 0.6) {
    const keys = newSchema(random() < 0.6 ? "string" : "int32");
    return newSchema("map", { optional, keys, values: randomSchema(random, depth + 1) });
  }
  return withMore(random, newSchema(pick(random, leaves), { optional }));
}

function withMore(random: Random, schema: Schema): Schema {
  if (random() < 0.15) return { ...schema, default: requiredValue(random, schema) };
  if (random() < 0.7) return schema;
  if (schema.type === "int32") return { ...schema, name: logicalName.date, version: 1 };
  if (schema.type === "int64") return { ...schema, name: logicalName.timestamp, version: 1 };
  if (schema.type !== "bytes") return { ...schema, name: "n", version: 2, doc: "d" };
  const parameters = new Map([["scale", "2"]]);
  return { ...schema, name: logicalName.decimal, version: 1, parameters };
}

/** A value that the schema allows; null where it is optional or has a default. */
export function randomValue(random: Random, schema: Schema): JsonValue {
  if ((schema.optional || schema.default !== null) && random() < 0.25) return null;
  return requiredValue(random, schema);
}

function requiredValue(random: Random, schema: Schema): JsonValue {
  switch (schema.type) {
    case "int8":
    case "int16":
    case "int32":
      return Math.floor(random() * 256) - 128;
    case "int64":
      return pick(random, longs);
    case "float":
      return new Floating(pick(random, doubles.slice(0, -1)));
    case "double":
      return new Floating(pick(random, doubles));
    case "boolean":
      return random() < 0.5;
    case "string":
      return pick(random, strings);
    case "bytes":
      // A decimal's bytes are the shortest, as Java keeps them: only those come back as they went.
      if (schema.name === logicalName.decimal)
        return pick(random, ["AQ==", "AQI=", "/38A", "AA=="]);
      return pick(random, ["AQ==", "AQI=", "/38A", "AAAAAAAA"]);
    case "array":
      return items(random, () => randomValue(random, schema.values as Schema));
    case "map":
      return randomMap(random, schema);
    case "struct":
      return new Map(schema.fields.map((field) => [field.name, randomValue(random, field.schema)]));
  }
}

function randomMap(random: Random, { keys, values }: Schema): JsonValue {
  const entries = items(random, (index): [JsonValue, JsonValue] => [
    keys?.type === "string" ? pick(random, strings) + index : index,
    randomValue(random, values as Schema),
  ]);
  return keys?.type === "string" ? new Map(entries as [string, JsonValue][]) : entries;
}

function items<T>(random: Random, make: (index: number) => T): T[] {
  return Array.from({ length: Math.floor(random() * 4) }, (_, index) => make(index));
}
