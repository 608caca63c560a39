import type { Form } from "../record/columns.ts";
import type { Data } from "../record/connect-record.ts";
import type { ByteSlice } from "../record/record-slice.ts";
import type { Converter, ConverterFactory, SinkPiece, SourcePlan } from "./converter.ts";
import { type ConverterConfig, ConverterSettings } from "./converter-settings.ts";
import { JsonPlain } from "./json-plain.ts";
import { JsonSink, type JsonSinkOptions } from "./json-sink.ts";
import { JsonSource, type JsonSourceOptions } from "./json-source.ts";

const className = "org.apache.kafka.connect.json.JsonConverter";

/** JSON, with the schema around each payload or without any. */
export class JsonConverter implements Converter {
  readonly #source: JsonSource;
  readonly #sink: JsonSink;
  readonly #plain: JsonPlain;

  constructor(options: JsonSourceOptions & JsonSinkOptions) {
    this.#source = new JsonSource(options);
    this.#sink = new JsonSink(options);
    const nulls = options.replaceNull ? "default" : "keep";
    const style = { nulls, numericDecimals: options.numericDecimals } as const;
    this.#plain = new JsonPlain(options.schemasEnable, style);
  }

  sourcePlan(form: Form, canonicalJson = false): SourcePlan {
    return this.#source.plan(form, canonicalJson);
  }

  toPlugin(bytes: Uint8Array, start: number, end: number, out: SinkPiece): void {
    this.#sink.toPlugin(bytes, start, end, out);
  }

  fromConnect(data: Data): Uint8Array | null {
    return this.#plain.bytesOf(data);
  }

  fillFromConnect(data: Data, slice: ByteSlice): void {
    this.#plain.fill(data, slice);
  }

  toConnect(bytes: Uint8Array, start: number, end: number): Data {
    return this.#sink.toConnect(bytes, start, end);
  }
}

/** `org.apache.kafka.connect.json.JsonConverter` */
export const jsonConverter: ConverterFactory = {
  className,
  aliases: ["JsonConverter", "Json"],
  create: (config: ConverterConfig) => {
    const settings = new ConverterSettings(className, config);
    const options = {
      schemasEnable: settings.boolean("schemas.enable", true),
      schemasMax: settings.integer("schemas.cache.size", 1_000),
      numericDecimals:
        settings.word("decimal.format", ["NUMERIC", "BASE64"], "BASE64") === "NUMERIC",
      replaceNull: settings.boolean("replace.null.with.default", true),
    };
    settings.end();
    return new JsonConverter(options);
  },
};
