/** What a form's bytes say, as a value with its schema: where every typed lane begins. */
import { Buffer } from "node:buffer";
import type { Form } from "../record/columns.ts";
import { parseExactJson } from "../record/exact-json.ts";
import { invalid } from "../record/payload.ts";
import type { Schema } from "../record/schema.ts";
import { parseSchemaText } from "../record/schema-text.ts";
import { decodeValidUtf8 } from "../record/utf8.ts";
import type { JsonValue } from "../record/value.ts";
import type { SourcePlan } from "./converter.ts";

/** The schema of a form, or null. @throws RecordError with Connect's text. */
export function schemaOf(form: Form): Schema | null {
  if (form.schema === null) return null;
  const schema = parseSchemaText(form.schema);
  if (form.encoding === "text" && schema.type !== "string") {
    throw invalid(`a form of encoding text has a schema of type ${schema.type}`);
  }
  if (form.encoding === "bytes" && schema.type !== "bytes") {
    throw invalid(`a form of encoding bytes has a schema of type ${schema.type}`);
  }
  return schema;
}

/**
 * The value of a run of bytes; bytes are given as base64, as in JSON.
 * @throws RecordError where the bytes are not what the form says.
 */
export function formValue(form: Form, arena: Uint8Array, start: number, end: number): JsonValue {
  if (form.encoding === "bytes") {
    return Buffer.from(arena.buffer, arena.byteOffset + start, end - start).toString("base64");
  }
  const run = Buffer.from(arena.buffer, arena.byteOffset + start, end - start);
  const text = decodeValidUtf8(run);
  if (text === undefined) throw invalid("a text is not valid UTF-8");
  return form.encoding === "text" ? text : parseExactJson(text);
}

/** A plan whose every value is refused; nulls perhaps are not. */
export function refusal(error: () => Error, nullValue: () => Uint8Array | null): SourcePlan {
  return {
    lane: {
      at: "typed",
      convert: () => {
        throw error();
      },
    },
    nullValue,
  };
}

/** For `SourcePlan.nullValue`. */
export const tombstone = (): null => null;
