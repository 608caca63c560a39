import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { jsonWriter, writeJson } from "./canonical-json.ts";
import { readExact } from "./exact-json.ts";
import { parseSchema, schemaText } from "./schema-text.ts";
import { readValue } from "./value-reader.ts";

interface Vector {
  name: string;
  schema: string | null;
  json: string;
}

const file = new URL("../../vectors/canonical-json.json", import.meta.url);
const vectors: { values: Vector[]; refused: Vector[] } = JSON.parse(readFileSync(file, "utf8"));

/** Read and written again. */
function again({ schema, json }: Vector): string {
  if (schema === null) return writeJson(readExact(json));
  const parsed = parseSchema(schema);
  return jsonWriter(parsed)(readValue(json, parsed));
}

for (const vector of vectors.values) {
  test(`the vector "${vector.name}" is read and written to the same text`, () => {
    if (vector.schema !== null) assert.equal(schemaText(parseSchema(vector.schema)), vector.schema);
    assert.equal(again(vector), vector.json);
  });
}

for (const vector of vectors.refused) {
  test(`${vector.json} is no value of ${vector.schema ?? "no schema"}`, () => {
    assert.throws(() => again(vector));
  });
}
