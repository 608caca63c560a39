/** The batches that all SDKs share, in this SDK's words: see sdk/vectors/README.md. */
import { readFileSync } from "node:fs";
import { writeJson } from "../src/canonical-json.ts";
import { readExact } from "../src/exact-json.ts";
import type { Schema } from "../src/schema.ts";
import { parseSchema } from "../src/schema-text.ts";
import { readValue } from "../src/value-reader.ts";

/** A key, a value or a header's value; `null` by itself is the null without schema. */
export type VectorPiece =
  | null
  | { schema: string | null; null: true }
  | { schema: string | null; text: string }
  | { schema: string | null; hex: string }
  | { schema: string | null; json: string };

interface VectorRecord {
  topic: string;
  partition: number | null;
  timestamp: string | null;
  key: VectorPiece;
  value: VectorPiece;
  headers: { name: string; value: VectorPiece }[];
}

export interface VectorSourceRecord extends VectorRecord {
  source_partition: string;
  source_offset: string | null;
}

export interface VectorSinkRecord extends VectorRecord {
  offset: string;
  timestamp_type: "none" | "create" | "append";
  original_topic: string;
  original_partition: number;
}

export interface VectorBatch<Row> {
  name: string;
  offset_mode: "PER_RECORD" | "LAST";
  records: Row[];
  cost_bytes: number;
  last_offsets?: Record<string, string | null>;
  messages: string[];
}

export interface RefusedBatch {
  name: string;
  offset_mode: "PER_RECORD" | "LAST";
  /** The column whose rule it breaks. */
  breaks: string;
  messages: string[];
}

export interface BatchVectors<Row> {
  batches: VectorBatch<Row>[];
  refused: RefusedBatch[];
}

export function readVectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../vectors/${name}`, import.meta.url), "utf8")) as T;
}

/** As a user of this SDK has it in hand. */
export function pieceValue(piece: VectorPiece): { value: unknown; schema: Schema | null } {
  if (piece === null) return { value: null, schema: null };
  const schema = piece.schema === null ? null : parseSchema(piece.schema);
  if ("text" in piece) return { value: piece.text, schema };
  if ("hex" in piece) return { value: Buffer.from(piece.hex, "hex"), schema };
  if ("null" in piece) return { value: null, schema };
  const value = schema === null ? readExact(piece.json) : readValue(piece.json, schema);
  return { value, schema };
}

/** Its bytes on the wire, and how they are to be read; a null's encoding says nothing. */
export function pieceOnWire(piece: VectorPiece) {
  if (piece === null) return { encoding: "null", schema: null, hex: null };
  const { schema } = piece;
  if ("null" in piece) return { encoding: "null", schema, hex: null };
  if ("hex" in piece) return { encoding: "bytes", schema, hex: piece.hex };
  const [encoding, text] = "text" in piece ? ["text", piece.text] : ["json", piece.json];
  return { encoding, schema, hex: Buffer.from(text).toString("hex") };
}

/** JSON data of a partition or an offset, with what JavaScript's own reader would lose. */
export function dataOf(text: string | null): Record<string, unknown> | null {
  if (text === null) return null;
  const data = readExact(text) as Record<string, unknown> | null;
  if (writeJson(data) !== text) throw new Error(`the vector ${text} is not canonical`);
  return data;
}
