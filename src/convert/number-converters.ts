/** Converters for numbers and booleans of a fixed size, big-endian, as Kafka's own serializers write them. */
import { Buffer } from "node:buffer";
import { floatingOf, plainStyle } from "../record/canonical-json.ts";
import type { Form } from "../record/columns.ts";
import type { Data } from "../record/connect-record.ts";
import { javaDouble, javaFloat } from "../record/java-text.ts";
import { contentOf, javaNameOf, typeOf } from "../record/java-value.ts";
import { invalid } from "../record/payload.ts";
import { javaTypeName, newSchema, type Schema, type SchemaType } from "../record/schema.ts";
import { writeSchemaText } from "../record/schema-text.ts";
import { Floating, type JsonValue, javaClassOf, Tagged, type ValueType } from "../record/value.ts";
import type { Converter, ConverterFactory, SinkPiece, SourcePlan } from "./converter.ts";
import { formValue, schemaOf } from "./form-value.ts";

/** One kind of value of a fixed size. */
interface FixedType {
  /** As the class is named: `IntegerConverter`. */
  readonly name: string;
  /** As Connect's messages say it. */
  readonly word: string;
  readonly schemaType: SchemaType;
  readonly valueType: ValueType;
  readonly size: number;
  readonly write: (into: Buffer, value: never) => void;
  readonly read: (from: Buffer) => number | bigint | boolean | undefined;
}

const fixedTypes: readonly FixedType[] = [
  {
    name: "Boolean",
    word: "boolean",
    schemaType: "boolean",
    valueType: "boolean",
    size: 1,
    write: (into, value: boolean) => into.writeUInt8(value ? 1 : 0),
    read: (from) => (from[0] === 0 ? false : from[0] === 1 ? true : undefined),
  },
  {
    name: "Short",
    word: "short",
    schemaType: "int16",
    valueType: "int16",
    size: 2,
    write: (into, value: number) => into.writeInt16BE(value),
    read: (from) => from.readInt16BE(),
  },
  {
    name: "Integer",
    word: "integer",
    schemaType: "int32",
    valueType: "int32",
    size: 4,
    write: (into, value: number) => into.writeInt32BE(value),
    read: (from) => from.readInt32BE(),
  },
  {
    name: "Long",
    word: "long",
    schemaType: "int64",
    valueType: "int64",
    size: 8,
    write: (into, value: number | bigint) => into.writeBigInt64BE(BigInt(value)),
    read: (from) => from.readBigInt64BE(),
  },
  {
    name: "Float",
    word: "float",
    schemaType: "float",
    valueType: "float32",
    size: 4,
    write: (into, value: number) => into.writeFloatBE(value),
    read: (from) => from.readFloatBE(),
  },
  {
    name: "Double",
    word: "double",
    schemaType: "double",
    valueType: "float64",
    size: 8,
    write: (into, value: number) => into.writeDoubleBE(value),
    read: (from) => from.readDoubleBE(),
  },
];

class FixedConverter implements Converter {
  readonly #type: FixedType;
  readonly #schema: Schema;
  readonly #form: Form;
  /** Of the value that was read last, for the plugin. */
  #text = Buffer.alloc(0);

  constructor(type: FixedType) {
    this.#type = type;
    this.#schema = newSchema(type.schemaType, { optional: true });
    this.#form = { encoding: "json", schema: writeSchemaText(this.#schema, plainStyle) };
  }

  sourcePlan(form: Form): SourcePlan {
    const schema = schemaOf(form);
    return {
      lane: {
        at: "typed",
        convert: (arena, start, end) =>
          this.fromConnect({ schema, value: formValue(form, arena, start, end) }),
      },
      nullValue: () => this.fromConnect({ schema, value: null }),
    };
  }

  toPlugin(bytes: Uint8Array, start: number, end: number, out: SinkPiece): void {
    out.form = this.#form;
    out.start = -1;
    out.end = -1;
    if (start < 0) return;
    this.#text = Buffer.from(this.#written(this.#read(bytes, start, end)));
    out.bytes = this.#text;
    out.start = 0;
    out.end = this.#text.length;
  }

  fromConnect({ schema, value }: Data): Uint8Array | null {
    const { name, word, schemaType, valueType, size, write } = this.#type;
    const isBoolean = valueType === "boolean";
    if (isBoolean && schema !== null && schema.type !== schemaType) {
      throw invalid(`Invalid schema type for BooleanConverter: ${javaTypeName(schema)}`);
    }
    const type = typeOf(schema, value);
    if (type === null) return null;
    const isTagged = value instanceof Tagged;
    if (type !== valueType || !(isTagged || fits(this.#type, value as JsonValue))) {
      // A payload that its schema does not allow is of the class that its own text tells.
      const isPayload = type === valueType && !isTagged;
      const found = isPayload
        ? javaClassOf(value as JsonValue)
        : `class ${javaNameOf(schema, value)}`;
      throw invalid(
        isBoolean
          ? `${name}Converter is not compatible with objects of type ${found}`
          : `Failed to serialize to ${word} (was ${found}): `,
      );
    }
    const bytes = Buffer.alloc(size);
    write(bytes, contentOf(type, schema, value) as never);
    return bytes;
  }

  toConnect(bytes: Uint8Array, start: number, end: number): Data {
    if (start < 0) return { schema: this.#schema, value: null };
    const value = this.#read(bytes, start, end);
    if (typeof value === "bigint") {
      const number = Number(value);
      return { schema: this.#schema, value: Number.isSafeInteger(number) ? number : value };
    }
    const isFloating = this.#type.schemaType === "float" || this.#type.schemaType === "double";
    return { schema: this.#schema, value: isFloating ? Floating.of(value as number) : value };
  }

  #read(bytes: Uint8Array, start: number, end: number): number | bigint | boolean {
    const run = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
    const value = run.length === this.#type.size ? this.#type.read(run) : undefined;
    if (value === undefined) throw invalid(`Failed to deserialize ${this.#type.word}: `);
    return value;
  }

  #written(value: number | bigint | boolean): string {
    const { schemaType } = this.#type;
    if (schemaType === "double") return quotedUnlessFinite(javaDouble(value as number));
    return schemaType === "float" ? quotedUnlessFinite(javaFloat(value as number)) : String(value);
  }
}

/** Whether a payload, as a plugin may send it, is one of the type. */
function fits({ schemaType, size }: FixedType, value: JsonValue): boolean {
  if (schemaType === "boolean") return typeof value === "boolean";
  if (schemaType === "float" || schemaType === "double") return floatingOf(value) !== undefined;
  if (typeof value !== "number" && typeof value !== "bigint") return false;
  const exact = BigInt(value);
  return exact === BigInt.asIntN(8 * size, exact);
}

/** JSON has no such numbers; as payloads they are texts. */
function quotedUnlessFinite(text: string): string {
  return /^-?[IN]/.test(text) ? `"${text}"` : text;
}

/** `org.apache.kafka.connect.converters.IntegerConverter` and its like, by class name. */
export const numberConverters: readonly ConverterFactory[] = fixedTypes.map((type) => ({
  className: `org.apache.kafka.connect.converters.${type.name}Converter`,
  aliases: [`${type.name}Converter`, type.name],
  create: () => new FixedConverter(type),
}));
