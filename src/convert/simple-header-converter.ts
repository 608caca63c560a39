import { ByteScratch } from "../record/byte-scratch.ts";
import { plainStyle, writePayload } from "../record/canonical-json.ts";
import { type Form, nullForm } from "../record/columns.ts";
import type { Data } from "../record/connect-record.ts";
import { moved } from "../record/java-value.ts";
import { appendBase64 } from "../record/json-bytes.ts";
import { logicalName } from "../record/logical.ts";
import type { Schema } from "../record/schema.ts";
import { writeSchemaText } from "../record/schema-text.ts";
import { decodeUtf8, encodeUtf8, isUtf8Run } from "../record/utf8.ts";
import type { JsonValue } from "../record/value.ts";
import type { ConverterFactory, HeaderConverter, SinkPiece, SourcePlan } from "./converter.ts";
import { FormData } from "./form-data.ts";
import { schemaOf, tombstone } from "./form-value.ts";
import { parseHeader } from "./header-parser.ts";
import { headerText, headerValueText } from "./header-text.ts";
import { LruMap } from "./lru-map.ts";
import { RecentMap } from "./recent-map.ts";

const stringForm: Form = { encoding: "text", schema: '{"type":"string","optional":false}' };
/** More kinds of arrays and maps than any topic's headers have. */
const formsMax = 1_000;
/** Most headers say what that of the record before said; longer texts are not kept. */
const recentMax = 1_000;
const recentLengthMax = 64;

/**
 * Headers as readable text, and text as whatever it looks like: `12` is an int8. The default header
 * converter of every connector.
 */
export class SimpleHeaderConverter implements HeaderConverter {
  readonly #forms = new LruMap<string, Form>(formsMax);
  readonly #scratch = new ByteScratch();
  /** Nothing changes a header's value in place, so records may share one. */
  readonly #read = new RecentMap<string, Data>(recentMax);
  readonly #written = new RecentMap<string, Uint8Array>(recentMax);

  sourcePlan(form: Form): SourcePlan {
    const schema = schemaOf(form);
    if (form.encoding === "text") return { lane: { at: "copy" }, nullValue: tombstone };
    const data = new FormData(form);
    const isRaw = form.encoding === "bytes" && schema?.name !== logicalName.decimal;
    const convert = (arena: Uint8Array, start: number, end: number) => {
      if (isRaw) {
        this.#scratch.clear();
        appendBase64(this.#scratch, arena, start, end);
        return this.#scratch.taken();
      }
      const { value } = data.read(arena, start, end);
      return value === null ? null : encodeUtf8(headerText(schema, value as JsonValue));
    };
    return { lane: { at: "typed", convert }, nullValue: tombstone };
  }

  fromConnect({ schema, value }: Data): Uint8Array | null {
    if (value === null) return null;
    const isText = typeof value === "string" && schema?.type === "string";
    if (isText && value.length <= recentLengthMax) return this.#textBytes(value);
    return encodeUtf8(headerValueText(moved(schema, value, null)));
  }

  #textBytes(text: string): Uint8Array {
    const known = this.#written.get(text);
    if (known !== undefined) return known;
    const bytes = encodeUtf8(headerValueText(text));
    this.#written.set(text, bytes);
    return bytes;
  }

  toConnect(bytes: Uint8Array, start: number, end: number): Data {
    if (start < 0) return { schema: null, value: null };
    const text = decodeUtf8(bytes, start, end);
    const known = this.#read.get(text);
    if (known !== undefined) return known;
    const parsed = parseHeader(text, true) ?? { schema: null, value: null };
    if (text.length <= recentLengthMax) this.#read.set(text, parsed);
    return parsed;
  }

  toPlugin(bytes: Uint8Array, start: number, end: number, out: SinkPiece): void {
    out.form = stringForm;
    out.bytes = bytes;
    out.start = start;
    out.end = end;
    if (start < 0) {
      out.form = nullForm;
      return;
    }
    const integer = shortInteger(bytes, start, end);
    if (integer >= 0) out.form = integerForm(integer);
    else if (!isSurelyString(bytes, start, end) || !isUtf8Run(bytes, start, end)) {
      this.#parse(bytes, start, end, out);
    }
  }

  #parse(bytes: Uint8Array, start: number, end: number, out: SinkPiece): void {
    const parsed = parseHeader(decodeUtf8(bytes, start, end));
    if (parsed === null) {
      out.form = nullForm;
      out.start = -1;
      out.end = -1;
      return;
    }
    const { schema, value } = parsed;
    this.#scratch.clear();
    if (typeof value === "string" && schema.type === "string") {
      this.#scratch.appendText(value);
    } else {
      out.form = this.#formOf(schema);
      this.#scratch.appendText(writePayload(schema, value, plainStyle));
    }
    out.bytes = this.#scratch.bytes;
    out.start = 0;
    out.end = this.#scratch.length;
  }

  #formOf(schema: Schema): Form {
    const text = writeSchemaText(schema, plainStyle);
    let form = this.#forms.get(text) ?? integerForms.get(text);
    if (form === undefined) {
      form = { encoding: "json", schema: text };
      this.#forms.set(text, form);
    }
    return form;
  }
}

/** The integer of up to nine digits, written as JSON writes it, that the run is; -1 = it is none. */
function shortInteger(bytes: Uint8Array, start: number, end: number): number {
  if (start === end || end - start > 9 || (bytes[start] === 0x30 && end - start > 1)) return -1;
  let value = 0;
  for (let at = start; at < end; at += 1) {
    const digit = (bytes[at] as number) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

const [int8Form, int16Form, int32Form] = ["int8", "int16", "int32"].map(
  (type): Form => ({ encoding: "json", schema: `{"type":"${type}","optional":false}` }),
) as [Form, Form, Form];

/** Of what the parser finds to be an integer by another way, the form is the same. */
const integerForms = new Map([int8Form, int16Form, int32Form].map((form) => [form.schema, form]));

function integerForm(value: number): Form {
  if (value <= 0x7f) return int8Form;
  return value <= 0x7fff ? int16Form : int32Form;
}

/** Begins with an ASCII sign that no number, date, literal, list or map begins with, nor a blank. */
function isSurelyString(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end) return true;
  const first = bytes[start] as number;
  if (first <= 0x20 || first >= 0x7f) return false;
  if (first >= 0x30 && first <= 0x39) return false;
  return !beginnings.includes(first);
}

/** `+ - [ {` and the first letters of `true`, `false` and `null`. */
const beginnings = Array.from("+-[{tfn", (sign) => sign.charCodeAt(0));

/** `org.apache.kafka.connect.storage.SimpleHeaderConverter`, for headers only. */
export const simpleHeaderConverter: ConverterFactory = {
  className: "org.apache.kafka.connect.storage.SimpleHeaderConverter",
  aliases: ["SimpleHeaderConverter", "Simple"],
  create: () => new SimpleHeaderConverter(),
};
