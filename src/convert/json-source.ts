import { Buffer } from "node:buffer";
import { ByteScratch } from "../record/byte-scratch.ts";
import { type PayloadStyle, writePayload } from "../record/canonical-json.ts";
import type { Form } from "../record/columns.ts";
import { appendBase64, appendJsonString } from "../record/json-bytes.ts";
import { logicalName } from "../record/logical.ts";
import { noBytes } from "../record/record-slice.ts";
import type { Schema } from "../record/schema.ts";
import { writeSchemaText } from "../record/schema-text.ts";
import type { JsonValue } from "../record/value.ts";
import type { SourceLane, SourcePlan } from "./converter.ts";
import { formValue, schemaOf } from "./form-value.ts";

export interface JsonSourceOptions {
  readonly schemasEnable: boolean;
  readonly replaceNull: boolean;
  readonly numericDecimals: boolean;
}

type Convert = (arena: Uint8Array, start: number, end: number) => Uint8Array | null;

/** From a plugin's forms to JsonConverter's bytes. */
export class JsonSource {
  readonly #schemasEnable: boolean;
  readonly #style: PayloadStyle;
  readonly #scratch = new ByteScratch();

  constructor(options: JsonSourceOptions) {
    this.#schemasEnable = options.schemasEnable;
    const nulls = options.replaceNull ? "default" : "keep";
    this.#style = { nulls, numericDecimals: options.numericDecimals };
  }

  plan(form: Form, canonicalJson: boolean): SourcePlan {
    const schema = schemaOf(form);
    const [prefix, suffix] = this.#envelope(schema);
    const nullValue = () => {
      if (schema === null) return null;
      const payload = Buffer.from(writePayload(schema, null, this.#style));
      return Buffer.concat([prefix, payload, suffix]);
    };
    return { lane: this.#lane(form, schema, canonicalJson, prefix, suffix), nullValue };
  }

  #envelope(schema: Schema | null): readonly [Uint8Array, Uint8Array] {
    if (!this.#schemasEnable) return [noBytes, noBytes];
    const text = writeSchemaText(schema, this.#style);
    return [Buffer.from(`{"schema":${text},"payload":`), Buffer.from("}")];
  }

  #lane(
    form: Form,
    schema: Schema | null,
    canonicalJson: boolean,
    prefix: Uint8Array,
    suffix: Uint8Array,
  ): SourceLane {
    const write = this.#writer(form, schema);
    if (form.encoding === "json" && canonicalJson && !this.#changesDecimals(schema)) {
      // The text is what Jackson would write. (A null has no text: it is a size of 0.)
      if (schema === null || !some(schema, (each) => each.default !== null)) {
        return prefix.length === 0 ? { at: "copy" } : { at: "wrap", prefix, suffix };
      }
      return {
        at: "typed",
        convert: (arena, start, end) => {
          // Only a null can be something else than it says: a default, or an error.
          const hasNull = Buffer.from(arena.buffer, arena.byteOffset + start, end - start);
          if (hasNull.includes("null")) return write(arena, start, end, prefix, suffix);
          const out = this.#begin(prefix);
          out.appendRun(arena, start, end);
          out.append(suffix);
          return out.taken();
        },
      };
    }
    const convert: Convert = (arena, start, end) => write(arena, start, end, prefix, suffix);
    return { at: "typed", convert };
  }

  #writer(form: Form, schema: Schema | null) {
    const isPlain = !this.#changesDecimals(schema);
    return (
      arena: Uint8Array,
      start: number,
      end: number,
      prefix: Uint8Array,
      suffix: Uint8Array,
    ): Uint8Array | null => {
      const out = this.#begin(prefix);
      if (form.encoding === "text") {
        appendJsonString(out, arena, start, end);
      } else if (form.encoding === "bytes" && isPlain) {
        out.appendText('"');
        appendBase64(out, arena, start, end);
        out.appendText('"');
      } else {
        const value: JsonValue = formValue(form, arena, start, end);
        if (value === null && schema === null) return null;
        out.appendText(writePayload(schema, value, this.#style));
      }
      out.append(suffix);
      return out.taken();
    };
  }

  #begin(prefix: Uint8Array): ByteScratch {
    this.#scratch.clear();
    this.#scratch.append(prefix);
    return this.#scratch;
  }

  #changesDecimals(schema: Schema | null): boolean {
    if (!this.#style.numericDecimals || schema === null) return false;
    return some(schema, (each) => each.name === logicalName.decimal);
  }
}

/** Whether it holds for the schema or one inside it. */
function some(schema: Schema, holds: (schema: Schema) => boolean): boolean {
  const { keys, values, fields } = schema;
  return (
    holds(schema) ||
    (keys !== null && some(keys, holds)) ||
    (values !== null && some(values, holds)) ||
    fields.some((field) => some(field.schema, holds))
  );
}
