import type { Form } from "../record/columns.ts";
import { javaString } from "../record/java-string.ts";
import { javaBytes } from "../record/java-text.ts";
import { logicalName } from "../record/logical.ts";
import { decodeUtf8, encodeUtf8, isUtf8Run } from "../record/utf8.ts";
import { type Charset, findCharset, isUtf8Name } from "./charset.ts";
import type { Converter, ConverterFactory, SinkPiece, SourcePlan } from "./converter.ts";
import { type ConverterConfig, ConverterSettings } from "./converter-settings.ts";
import { formValue, schemaOf, tombstone } from "./form-value.ts";

const optionalString: Form = { encoding: "text", schema: '{"type":"string","optional":true}' };
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
    const convert = (arena: Uint8Array, start: number, end: number) => {
      const value = formValue(form, arena, start, end);
      return value === null ? null : encode(javaString(schema, value));
    };
    return { lane: { at: "typed", convert }, nullValue: tombstone };
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
    if (charset === undefined)
      settings.refuse("converter.encoding", `Unsupported encoding ${name}`);
    settings.end();
    return new StringConverter(charset ?? null);
  },
};
