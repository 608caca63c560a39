import { ConfigError } from "../base/error.ts";
import type { Form } from "../record/columns.ts";
import type { Data } from "../record/connect-record.ts";
import { javaString } from "../record/java-string.ts";
import { javaBytes } from "../record/java-text.ts";
import { moved } from "../record/java-value.ts";
import { logicalName } from "../record/logical.ts";
import { newSchema } from "../record/schema.ts";
import { shownValue } from "../record/shown-value.ts";
import { decodeUtf8, encodeUtf8, isUtf8Run } from "../record/utf8.ts";
import type { JsonValue } from "../record/value.ts";
import { type Charset, findCharset, isUtf8Name } from "./charset.ts";
import type { Converter, ConverterFactory, SinkPiece, SourcePlan } from "./converter.ts";
import { type ConverterConfig, ConverterSettings } from "./converter-settings.ts";
import { FormData } from "./form-data.ts";
import { schemaOf, tombstone } from "./form-value.ts";

const optionalString: Form = { encoding: "text", schema: '{"type":"string","optional":true}' };
const optionalStringSchema = newSchema("string", { optional: true });
const className = "org.apache.kafka.connect.storage.StringConverter";

/** Text as it is; anything else as Java's `toString` shows it. */
export class StringConverter implements Converter {
  /** null = UTF-8. */
  readonly #charset: Charset | null;

  constructor(charset: Charset | null) {
    this.#charset = charset;
  }

  sourcePlan(form: Form): SourcePlan {
    const schema = schemaOf(form);
    const charset = this.#charset;
    if (form.encoding === "text" && charset === null) {
      return { lane: { at: "copy" }, nullValue: tombstone };
    }
    const encode = charset === null ? encodeUtf8 : (text: string) => charset.encode(text);
    if (form.encoding === "bytes" && schema?.name !== logicalName.decimal) {
      const convert = (arena: Uint8Array, start: number, end: number) =>
        encode(javaBytes(arena.subarray(start, end)));
      return { lane: { at: "typed", convert }, nullValue: tombstone };
    }
    const data = new FormData(form);
    const convert = (arena: Uint8Array, start: number, end: number) => {
      const { value } = data.read(arena, start, end);
      return value === null ? null : encode(javaString(schema, value as JsonValue));
    };
    return { lane: { at: "typed", convert }, nullValue: tombstone };
  }

  fromConnect({ schema, value }: Data): Uint8Array | null {
    if (value === null) return null;
    const text = shownValue(moved(schema, value, null));
    return this.#charset === null ? encodeUtf8(text) : this.#charset.encode(text);
  }

  toConnect(bytes: Uint8Array, start: number, end: number): Data {
    if (start < 0) return { schema: optionalStringSchema, value: null };
    const value =
      this.#charset === null
        ? decodeUtf8(bytes, start, end)
        : this.#charset.decode(bytes.subarray(start, end));
    return { schema: optionalStringSchema, value };
  }

  toPlugin(bytes: Uint8Array, start: number, end: number, out: SinkPiece): void {
    out.form = optionalString;
    out.bytes = bytes;
    out.start = start;
    out.end = end;
    if (start < 0 || (this.#charset === null && isUtf8Run(bytes, start, end))) return;
    const text =
      this.#charset === null
        ? decodeUtf8(bytes, start, end)
        : this.#charset.decode(bytes.subarray(start, end));
    const valid = encodeUtf8(text);
    out.bytes = valid;
    out.start = 0;
    out.end = valid.length;
  }
}

/** `org.apache.kafka.connect.storage.StringConverter` */
export const stringConverter: ConverterFactory = {
  className,
  aliases: ["StringConverter", "String"],
  create: (config: ConverterConfig) => {
    const settings = new ConverterSettings(className, config);
    const name = settings.text("converter.encoding", "UTF-8");
    const charset = isUtf8Name(name) ? null : findCharset(name);
    settings.end();
    if (charset === undefined) throw unsupported(name);
    return new StringConverter(charset ?? null);
  },
};

/** Apache's class says so with the first value; here it is the config's fault from the start. */
function unsupported(name: string): ConfigError {
  const message = `Unsupported encoding ${name}`;
  return new ConfigError("config.invalid", message, {
    javaClass: "org.apache.kafka.common.errors.SerializationException",
    problems: [{ key: "converter.encoding", message }],
    hint: "name a character set that Node's TextDecoder knows, for example UTF-8 or ISO-8859-1",
  });
}
