/** From a value with its schema to a form of the contract: the way back from transforms to a plugin. */
import { Buffer } from "node:buffer";
import type { ByteScratch } from "../record/byte-scratch.ts";
import { plainStyle } from "../record/canonical-json.ts";
import { type Form, nullForm } from "../record/columns.ts";
import type { Data } from "../record/connect-record.ts";
import { typeOf } from "../record/java-value.ts";
import { logicalName } from "../record/logical.ts";
import { noBytes } from "../record/record-slice.ts";
import type { Schema } from "../record/schema.ts";
import { writeSchemaText } from "../record/schema-text.ts";
import { type ConnectValue, Tagged } from "../record/value.ts";
import type { SinkPiece } from "./converter.ts";
import { JsonPlain } from "./json-plain.ts";
import { LruMap } from "./lru-map.ts";

/** The forms of one schema; made when first needed. */
interface SchemaForms {
  readonly text: string;
  readonly forms: Partial<Record<Form["encoding"], Form>>;
}

const schemaless: SchemaForms["forms"] = {
  text: { encoding: "text", schema: null },
  bytes: { encoding: "bytes", schema: null },
  json: { encoding: "json", schema: null },
};

/** More schemas than a topic has. */
const schemasMax = 1_000;

/** The same schema gets the same form object, so ids may be cached by identity. */
export class FormWriter {
  readonly #json = new JsonPlain(false, plainStyle, "nearest");
  readonly #known = new WeakMap<Schema, SchemaForms>();
  /** One for each schema text, as equal schemas may be many objects. */
  readonly #byText = new LruMap<string, SchemaForms>(schemasMax);

  /**
   * With a `scratch` the bytes are in it, valid until it is used again.
   * @throws RecordError for a value that is not of its schema's class, with Connect's text
   */
  write({ schema, value }: Data, out: SinkPiece, scratch?: ByteScratch): void {
    if (value === null) setNull(out, this.#formOf(schema, "json", schema === null));
    else if (schema === null && value instanceof Tagged && value.type === "struct") {
      this.write((value as Tagged<"struct">).content, out, scratch);
    } else this.#write(schema, value, out, scratch);
  }

  #write(
    schema: Schema | null,
    value: ConnectValue,
    out: SinkPiece,
    scratch: ByteScratch | undefined,
  ): void {
    const type = typeOf(schema, value);
    const content = value instanceof Tagged ? value.content : value;
    if (type === "string" && isType(schema, "string") && isText(content as string)) {
      setText(out, this.#formOf(schema, "text"), content as string, scratch);
    } else if (type === "bytes" && isType(schema, "bytes")) {
      set(out, this.#formOf(schema, "bytes"), Buffer.from(content as string, "base64"));
    } else {
      const text = this.#json.payloadText(schema, value);
      setText(out, this.#formOf(schema, "json"), text, scratch);
    }
  }

  #formOf(schema: Schema | null, encoding: Form["encoding"], isNull = false): Form {
    if (isNull) return nullForm;
    if (schema === null) return schemaless[encoding] as Form;
    const known = this.#known.get(schema) ?? this.#learn(schema);
    known.forms[encoding] ??= { encoding, schema: known.text };
    return known.forms[encoding];
  }

  #learn(schema: Schema): SchemaForms {
    const text = writeSchemaText(schema, plainStyle);
    const known = this.#byText.get(text) ?? { text, forms: {} };
    this.#byText.set(text, known);
    this.#known.set(schema, known);
    return known;
  }
}

function isType(schema: Schema | null, type: "string" | "bytes"): boolean {
  return schema === null || (schema.type === type && schema.name !== logicalName.decimal);
}

/** A lone surrogate has no UTF-8, but an escape. */
function isText(text: string): boolean {
  return text.isWellFormed();
}

function setText(out: SinkPiece, form: Form, text: string, scratch: ByteScratch | undefined): void {
  if (scratch === undefined) {
    set(out, form, Buffer.from(text, "utf8"));
    return;
  }
  scratch.clear();
  scratch.appendText(text);
  out.form = form;
  out.bytes = scratch.bytes;
  out.start = 0;
  out.end = scratch.length;
}

function setNull(out: SinkPiece, form: Form): void {
  out.form = form;
  out.bytes = noBytes;
  out.start = -1;
  out.end = -1;
}

function set(out: SinkPiece, form: Form, bytes: Uint8Array): void {
  out.form = form;
  out.bytes = bytes;
  out.start = 0;
  out.end = bytes.length;
}
