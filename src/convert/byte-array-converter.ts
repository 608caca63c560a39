import { Buffer } from "node:buffer";
import type { RecordError } from "../base/error.ts";
import { bytesOf } from "../record/canonical-json.ts";
import type { Form } from "../record/columns.ts";
import type { Data } from "../record/connect-record.ts";
import { contentOf, javaNameOf, typeOf } from "../record/java-value.ts";
import { decodeBase64, logicalName } from "../record/logical.ts";
import { invalid } from "../record/payload.ts";
import { noBytes } from "../record/record-slice.ts";
import { javaTypeName, newSchema } from "../record/schema.ts";
import { type JsonValue, javaClassOf } from "../record/value.ts";
import type { Converter, ConverterFactory, SinkPiece, SourcePlan } from "./converter.ts";
import { formValue, refusal, schemaOf, tombstone } from "./form-value.ts";

const optionalBytes: Form = { encoding: "bytes", schema: '{"type":"bytes","optional":true}' };

const optionalBytesSchema = newSchema("bytes", { optional: true });

/** Bytes as they are. */
export class ByteArrayConverter implements Converter {
  sourcePlan(form: Form): SourcePlan {
    const schema = schemaOf(form);
    if (schema !== null && schema.type !== "bytes") {
      const fault = () =>
        invalid(`Invalid schema type for ByteArrayConverter: ${javaTypeName(schema)}`);
      return refusal(fault, () => {
        throw fault();
      });
    }
    if (schema?.name === logicalName.decimal) {
      return refusal(() => incompatible("class java.math.BigDecimal"), tombstone);
    }
    if (form.encoding === "bytes") return { lane: { at: "copy" }, nullValue: tombstone };
    if (form.encoding === "text") {
      return refusal(() => incompatible("class java.lang.String"), tombstone);
    }
    const convert = (arena: Uint8Array, start: number, end: number) => {
      const value = formValue(form, arena, start, end);
      if (value === null) return null;
      if (schema === null) throw incompatible(javaClassOf(value as JsonValue));
      return bytesOf(schema, value);
    };
    return { lane: { at: "typed", convert }, nullValue: tombstone };
  }

  fromConnect({ schema, value }: Data): Uint8Array | null {
    if (schema !== null && schema.type !== "bytes") {
      throw invalid(`Invalid schema type for ByteArrayConverter: ${javaTypeName(schema)}`);
    }
    const type = typeOf(schema, value);
    if (type === null) return null;
    if (type !== "bytes") throw incompatible(`class ${javaNameOf(schema, value)}`);
    return decodeBase64(contentOf(type, schema, value)) ?? noBytes;
  }

  toConnect(bytes: Uint8Array, start: number, end: number): Data {
    const value = start < 0 ? null : Buffer.from(bytes.subarray(start, end)).toString("base64");
    return { schema: optionalBytesSchema, value };
  }

  toPlugin(bytes: Uint8Array, start: number, end: number, out: SinkPiece): void {
    out.form = optionalBytes;
    out.bytes = bytes;
    out.start = start;
    out.end = end;
  }
}

function incompatible(className: string): RecordError {
  return invalid(`ByteArrayConverter is not compatible with objects of type ${className}`);
}

/** `org.apache.kafka.connect.converters.ByteArrayConverter` */
export const byteArrayConverter: ConverterFactory = {
  className: "org.apache.kafka.connect.converters.ByteArrayConverter",
  aliases: ["ByteArrayConverter", "ByteArray"],
  create: () => new ByteArrayConverter(),
};
