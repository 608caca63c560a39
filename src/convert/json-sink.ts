import { Buffer } from "node:buffer";
import { ByteScratch } from "../record/byte-scratch.ts";
import { plainStyle, writePayload } from "../record/canonical-json.ts";
import { type Form, nullForm } from "../record/columns.ts";
import type { Data } from "../record/connect-record.ts";
import { parseExactJson, parseFirstJson, parseLastMember } from "../record/exact-json.ts";
import { JsonCheck } from "../record/json-check.ts";
import { invalid, type PayloadReading, readPayload } from "../record/payload.ts";
import type { Schema } from "../record/schema.ts";
import { readSchema, writeSchemaText } from "../record/schema-text.ts";
import type { JsonValue } from "../record/value.ts";
import type { SinkPiece } from "./converter.ts";
import { parseJsonText } from "./json-text.ts";
import { LruMap } from "./lru-map.ts";

export interface JsonSinkOptions {
  readonly schemasEnable: boolean;
  readonly replaceNull: boolean;
  readonly schemasMax: number;
}

/** An envelope up to its payload, byte for byte, and what it means. */
interface Known {
  readonly prefix: Buffer;
  readonly schema: Schema | null;
  readonly form: Form;
  readonly check: JsonCheck;
}

const schemalessForm: Form = { encoding: "json", schema: null };
const payloadMember = Buffer.from('"payload"');
/** Everything before the schema, and between it and the payload. */
const envelopeStart = /^[ \t\r\n]*\{[ \t\r\n]*"schema"[ \t\r\n]*:/;
const envelopeMiddle = /[ \t\r\n]*,[ \t\r\n]*"payload"[ \t\r\n]*:$/;

/**
 * From JsonConverter's bytes to a plugin's forms. A payload that `JsonCheck` knows to be in order goes on
 * as it is; all others, and all errors, come from reading the whole text as Connect does.
 *
 * The check looks at every byte: a third of the cost of JSON.parse for 100 bytes, as much for 1 KiB of many
 * members, and without an object. So each payload is checked, and a plugin never sees one that its schema
 * does not allow. Without schemas the same check says that it is JSON and that its integers fit.
 */
export class JsonSink {
  readonly #options: JsonSinkOptions;
  /** For `toConnect`. */
  readonly #reading: JsonSinkOptions & { readonly anyScale: true };
  readonly #known: LruMap<string, Known>;
  /** One Form for each schema text. */
  readonly #forms: LruMap<string, Form>;
  readonly #anyCheck = new JsonCheck(null, false);
  readonly #scratch = new ByteScratch();
  #last: Known | undefined;

  constructor(options: JsonSinkOptions) {
    this.#options = options;
    this.#reading = { ...options, anyScale: true };
    this.#known = new LruMap(options.schemasMax);
    this.#forms = new LruMap(options.schemasMax);
  }

  toPlugin(bytes: Uint8Array, start: number, end: number, out: SinkPiece): void {
    if (start < 0) setNull(out, nullForm);
    else if (this.#options.schemasEnable) this.#readEnvelope(bytes, start, end, out);
    else this.#readPlain(bytes, start, end, out);
  }

  /** What transforms get: the values themselves. */
  toConnect(bytes: Uint8Array, start: number, end: number): Data {
    if (start < 0) return { schema: null, value: null };
    const reading = this.#reading;
    if (!this.#options.schemasEnable) {
      const json = parsed(() => parseJsonText(bytes, start, end, parseFirstJson));
      return { schema: null, value: readPayload(null, json ?? null, reading) };
    }
    const known = this.#find(bytes, start, end);
    if (known !== undefined) {
      const payload = start + known.prefix.length;
      const json = parsed(() => parseJsonText(bytes, payload, end, parseLastMember));
      if (json !== undefined) {
        return { schema: known.schema, value: ownPayload(known.schema, json, reading) };
      }
    }
    const { schema, payload } = this.#parseEnvelope(bytes, start, end);
    return { schema, value: ownPayload(schema, payload, reading) };
  }

  #readEnvelope(bytes: Uint8Array, start: number, end: number, out: SinkPiece): void {
    const known = this.#find(bytes, start, end);
    if (known === undefined) {
      this.#readWhole(bytes, start, end, out);
      return;
    }
    const payload = start + known.prefix.length;
    const payloadEnd = known.check.endOf(bytes, payload, end);
    // Whatever follows the closing brace is ignored, as Connect does.
    if (payloadEnd >= 0 && payloadEnd < end && bytes[payloadEnd] === 0x7d) {
      if (payloadEnd - payload === 4 && bytes[payload] === 0x6e) setNull(out, formOrNull(known));
      else set(out, known.form, bytes, payload, payloadEnd);
      return;
    }
    const value = parsed(() => parseJsonText(bytes, payload, end, parseLastMember));
    if (value === undefined) this.#readWhole(bytes, start, end, out);
    else this.#write(known.schema, known.form, value, out);
  }

  #find(bytes: Uint8Array, start: number, end: number): Known | undefined {
    const last = this.#last;
    if (last !== undefined && begins(bytes, start, end, last.prefix)) return last;
    const run = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
    const member = run.indexOf(payloadMember);
    if (member < 0) return undefined;
    let length = member + payloadMember.length;
    while (length < run.length && run[length] !== 0x3a) length += 1;
    const prefix = run.toString("latin1", 0, length + 1);
    const known = this.#known.get(prefix) ?? this.#learn(run.subarray(0, length + 1), prefix);
    if (known !== undefined) this.#last = known;
    return known;
  }

  /**
   * Understands an envelope up to its payload. The words `"payload":` may also stand inside a schema;
   * but if what is before them is `{"schema":` and one whole JSON value, they are the member.
   */
  #learn(run: Buffer, prefix: string): Known | undefined {
    const text = run.toString("utf8");
    if (!envelopeStart.test(text) || !envelopeMiddle.test(text)) return undefined;
    const schemaText = text.replace(envelopeStart, "").replace(envelopeMiddle, "");
    let json: JsonValue;
    try {
      json = parseExactJson(schemaText);
    } catch {
      return undefined;
    }
    const { replaceNull } = this.#options;
    const schema = readSchema(json, { replaceNull });
    const form = this.#formOf(schema);
    const check = new JsonCheck(schema, replaceNull);
    const known = { prefix: Buffer.from(run), schema, form, check };
    this.#known.set(prefix, known);
    return known;
  }

  #formOf(schema: Schema | null): Form {
    if (schema === null) return schemalessForm;
    const text = writeSchemaText(schema, plainStyle);
    let form = this.#forms.get(text);
    if (form === undefined) {
      form = { encoding: "json", schema: text };
      this.#forms.set(text, form);
    }
    return form;
  }

  #readWhole(bytes: Uint8Array, start: number, end: number, out: SinkPiece): void {
    const { schema, payload } = this.#parseEnvelope(bytes, start, end);
    this.#write(schema, this.#formOf(schema), payload, out);
  }

  #parseEnvelope(
    bytes: Uint8Array,
    start: number,
    end: number,
  ): { schema: Schema | null; payload: JsonValue } {
    const json = parsed(() => parseJsonText(bytes, start, end, parseFirstJson));
    const schemaJson = json instanceof Map && json.size === 2 ? json.get("schema") : undefined;
    const payload = json instanceof Map ? json.get("payload") : undefined;
    if (schemaJson === undefined || payload === undefined) {
      throw invalid(
        'JsonConverter with schemas.enable requires "schema" and "payload" fields and may not contain additional fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration.',
      );
    }
    const schema = readSchema(schemaJson, { replaceNull: this.#options.replaceNull });
    return { schema, payload };
  }

  #readPlain(bytes: Uint8Array, start: number, end: number, out: SinkPiece): void {
    let at = start;
    while (at < end && isBlank(bytes[at] as number)) at += 1;
    const valueEnd = this.#anyCheck.endOf(bytes, at, end);
    if (valueEnd >= 0 && (isClosing(bytes[valueEnd - 1] as number) || valueEnd === end)) {
      if (bytes[at] === 0x6e) setNull(out, nullForm);
      else set(out, schemalessForm, bytes, at, valueEnd);
      return;
    }
    const value = parsed(() => parseJsonText(bytes, start, end, parseFirstJson));
    this.#write(null, schemalessForm, value ?? null, out);
  }

  #write(schema: Schema | null, form: Form, json: JsonValue, out: SinkPiece): void {
    const value = readPayload(schema, json, this.#options);
    if (value === null) {
      setNull(out, schema === null ? nullForm : form);
      return;
    }
    this.#scratch.clear();
    this.#scratch.appendText(writePayload(schema, value, plainStyle));
    set(out, form, this.#scratch.bytes, 0, this.#scratch.length);
  }
}

/** A default that stands for null is the schema's, and transforms change what they get. */
function ownPayload(schema: Schema | null, json: JsonValue, reading: PayloadReading): JsonValue {
  const value = readPayload(schema, json, reading);
  return json === null && value instanceof Map ? new Map(value) : value;
}

function begins(bytes: Uint8Array, start: number, end: number, prefix: Buffer): boolean {
  const prefixEnd = start + prefix.length;
  return prefixEnd < end && prefix.compare(bytes, start, prefixEnd) === 0;
}

function formOrNull({ schema, form }: Known): Form {
  return schema === null ? nullForm : form;
}

function set(out: SinkPiece, form: Form, bytes: Uint8Array, start: number, end: number): void {
  out.form = form;
  out.bytes = bytes;
  out.start = start;
  out.end = end;
}

function setNull(out: SinkPiece, form: Form): void {
  out.form = form;
  out.start = -1;
  out.end = -1;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** `}`, `]` and `"`: no other byte can belong to the value that ends with it. */
function isClosing(byte: number): boolean {
  return byte === 0x7d || byte === 0x5d || byte === 0x22;
}

function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw invalid(
      "Converting byte[] to Kafka Connect data failed due to serialization error: ",
      cause,
    );
  }
}
