/** Random records in the notation of `bulkhead transform --json-lines`. */
import { fieldNames, logical } from "./random-chain.ts";
import type { Choice } from "./random-choice.ts";

const integers = ["0", "1", "-1", "127", "-128", "300", "70000", "2147483647", "1700000000123"];
const longs = [...integers, "9223372036854775807", "-9223372036854775808", "9007199254740993"];
const reals = ["0.0", "-0.0", "1.5", "-3.99", "1e20", "1E-7", "0.1", "16777217.0"];
const strings = ["", "x", "1", "-7", "true", "3.5", " 4 ", "2020-01-02", "é😀", "$a", "NaN", "1e3"];

/** What the data of a part is like; records of one kind have values that differ. */
export interface DataKind {
  /** null: data without a schema. */
  readonly schema: RandomSchema | null;
  /** How deep data without a schema is nested. */
  readonly depth: number;
}

/** The kinds of a record's parts. */
export interface RecordKind {
  readonly key: DataKind;
  readonly value: DataKind;
  /** One after the other. */
  readonly headers: readonly { readonly name: string; readonly kind: DataKind }[];
}

/** Types whose values a converter of numbers, or of bytes, takes. */
export type LeafType = "boolean" | "int16" | "int32" | "int64" | "float" | "double" | "bytes";

/** Makes kinds of records, and records of a kind. */
export class RandomRecords {
  readonly #choice: Choice;

  constructor(choice: Choice) {
    this.#choice = choice;
  }

  /** `wished`: what most values should be; undefined: anything. */
  kind(wished: { readonly key?: LeafType; readonly value?: LeafType } = {}): RecordKind {
    const names = this.#choice.some(["h", "i"], 2);
    return {
      key: this.#kindOf(2, wished.key),
      value: this.#kindOf(3, wished.value),
      headers: names.map((name) => ({ name, kind: this.#kindOf(1, undefined) })),
    };
  }

  #kindOf(depth: number, wished: LeafType | undefined): DataKind {
    const choice = this.#choice;
    if (wished !== undefined && choice.chance(0.8)) {
      return { schema: { ...newSchema(wished), optional: choice.chance(0.4) }, depth };
    }
    if (choice.chance(0.4)) return { schema: null, depth };
    return { schema: choice.chance(0.7) ? this.#struct(depth) : this.#schema(depth), depth };
  }

  /** As JSON. */
  record({ key, value, headers }: RecordKind): string {
    const choice = this.#choice;
    const isSource = choice.chance(0.3);
    const topic = choice.pick(["orders", "a-b-c", "x"]);
    const partition = choice.chance(0.2) ? "null" : choice.pick(["0", "3"]);
    const timestamp = choice.chance(0.2) ? "null" : choice.pick(["0", "1700000000123", "-5"]);
    const written = headers.map(({ name, kind }) => `{"key":"${name}",${this.#data(kind)}}`);
    const place = isSource ? "" : `"offset":${choice.pick(["0", "42"])},`;
    return (
      `{"kind":"${isSource ? "source" : "sink"}","topic":"${topic}","partition":${partition},${place}` +
      `"timestamp":${timestamp},"key":{${this.#data(key)}},"value":{${this.#data(value)}},` +
      `"headers":[${written.join(",")}]}`
    );
  }

  /** The two members of a key, value or header. */
  #data({ schema, depth }: DataKind): string {
    if (schema === null) return `"schema":null,"value":${this.#schemaless(depth, 0.75)}`;
    return `"schema":${written(schema)},"value":${this.#value(schema)}`;
  }

  #schemaless(depth: number, mapShare: number): string {
    if (depth > 0 && this.#choice.chance(mapShare)) {
      const members = new Map(
        this.#choice.some(fieldNames, 5).map((name) => [name, this.#schemaless(depth - 1, 0.2)]),
      );
      return `{${[...members].map(([name, value]) => `${quoted(name)}:${value}`).join(",")}}`;
    }
    if (depth > 0 && this.#choice.chance(0.15)) {
      return `[${this.#choice.some([0, 1], 2).map(() => this.#schemaless(depth - 1, 0.1))}]`;
    }
    return this.#choice.pick([
      () => "null",
      () => this.#choice.pick(["true", "false"]),
      () => this.#choice.pick(longs),
      () => this.#choice.pick(reals),
      () => quoted(this.#choice.pick(strings)),
      () => quoted(this.#choice.pick(strings)),
      () => this.#tagged(),
    ])();
  }

  #tagged(): string {
    return this.#choice.pick([
      '{"$int8":-7}',
      '{"$int16":300}',
      '{"$int32":70000}',
      '{"$float32":3.99}',
      '{"$float64":"NaN"}',
      '{"$float32":"-Infinity"}',
      '{"$bytes":"AQI="}',
      '{"$decimal":"1.50"}',
      '{"$decimal":"12345678901234567890"}',
      '{"$bigint":"5"}',
      '{"$date":1700000000123}',
      '{"$date":-1}',
      '{"$map":[[5,"x"],["a",1]]}',
      '{"$struct":{"schema":{"type":"struct","fields":[{"type":"int8","field":"a"}]},"value":{"a":1}}}',
    ]);
  }

  #schema(depth: number): RandomSchema {
    if (depth > 0 && this.#choice.chance(0.35)) {
      const type = this.#choice.pick(["array", "map", "struct", "struct"]);
      if (type === "struct") return this.#struct(depth - 1);
      const keys =
        type === "map" ? newSchema(this.#choice.pick(["string", "string", "int32"])) : null;
      return { ...this.#frame(type), keys, values: this.#schema(depth - 1) };
    }
    const [type, name] = this.#choice.pick(leaves);
    const schema = this.#frame(type);
    if (name !== undefined) schema.name = logical + name;
    if (name === "Decimal") schema.scale = this.#choice.pick(["0", "2"]);
    if (this.#choice.chance(0.2)) schema.default = this.#leaf(schema);
    return schema;
  }

  #struct(depth: number): RandomSchema {
    const fields = [...new Set(this.#choice.some(fieldNames, 5))].map((name) => ({
      name,
      schema: this.#schema(depth - 1),
    }));
    return { ...this.#frame("struct"), fields };
  }

  #frame(type: string): RandomSchema {
    const schema = newSchema(type);
    schema.optional = this.#choice.chance(0.4);
    if (this.#choice.chance(0.2)) schema.name = this.#choice.pick(["n", "my.Name"]);
    if (this.#choice.chance(0.2)) schema.more = this.#choice.pick([',"version":2', ',"doc":"d"']);
    return schema;
  }

  /** Mostly one that fits. */
  #value(schema: RandomSchema): string {
    if (this.#choice.chance(0.02)) return this.#tagged();
    const mayBeNull = schema.optional || schema.default !== null;
    if (this.#choice.chance(mayBeNull ? 0.25 : 0.02)) return "null";
    const { keys, values, fields } = schema;
    if (schema.type === "struct") {
      const members = fields.map((each) => `${quoted(each.name)}:${this.#value(each.schema)}`);
      return `{${members.join(",")}}`;
    }
    if (values === null) return this.#leaf(schema);
    const items = this.#choice
      .some(strings, 2)
      .map((text): [string, string] => [
        keys?.type === "int32" ? this.#choice.pick(integers.slice(0, 6)) : quoted(text),
        this.#value(values),
      ]);
    if (keys === null) return `[${items.map(([, item]) => item).join(",")}]`;
    const members = [...new Map(items)];
    return keys.type === "string"
      ? `{${members.map(([key, item]) => `${key}:${item}`).join(",")}}`
      : `[${members.map(([key, item]) => `[${key},${item}]`).join(",")}]`;
  }

  #leaf({ type, name }: RandomSchema): string {
    if (name === `${logical}Time`) return this.#choice.pick(["0", "1", "86399999"]);
    if (name === `${logical}Date`) return this.#choice.pick(["0", "-1", "19000"]);
    switch (type) {
      case "int8":
        return this.#choice.pick(integers.slice(0, 5));
      case "int16":
        return this.#choice.pick(integers.slice(0, 6));
      case "int32":
        return this.#choice.pick(integers.slice(0, 8));
      case "int64":
        return this.#choice.pick(name === null ? longs : integers);
      case "float":
      case "double":
        return this.#choice.pick([...reals, '"NaN"', '"Infinity"']);
      case "boolean":
        return this.#choice.pick(["true", "false"]);
      case "string":
        return quoted(this.#choice.pick(strings));
      default:
        return this.#choice.pick(['"AA=="', '"CgEC"', '"/w=="']);
    }
  }
}

/** A schema that records are made of. */
export interface RandomSchema {
  readonly type: string;
  optional: boolean;
  name: string | null;
  /** Members as they are written. */
  more: string;
  scale: string | null;
  default: string | null;
  keys: RandomSchema | null;
  values: RandomSchema | null;
  fields: readonly { readonly name: string; readonly schema: RandomSchema }[];
}

const leaves: readonly (readonly [string, string?])[] = [
  ...["int8", "int16", "int32", "int64", "float", "double"].map((type) => [type] as const),
  ...["boolean", "string", "string", "bytes"].map((type) => [type] as const),
  ["int32", "Date"],
  ["int32", "Time"],
  ["int64", "Timestamp"],
  ["bytes", "Decimal"],
];

function newSchema(type: string): RandomSchema {
  return {
    type,
    optional: false,
    name: null,
    more: "",
    scale: null,
    default: null,
    keys: null,
    values: null,
    fields: [],
  };
}

function written(schema: RandomSchema): string {
  const { type, optional, name, more, scale, keys, values, fields } = schema;
  const parts = [`"type":"${type}"`, `"optional":${optional}`];
  if (type === "array" && values !== null) parts.push(`"items":${written(values)}`);
  if (type === "map" && keys !== null && values !== null) {
    parts.push(`"keys":${written(keys)}`, `"values":${written(values)}`);
  }
  if (type === "struct") {
    const texts = fields.map((field) => {
      return written(field.schema).replace("{", `{"field":${quoted(field.name)},`);
    });
    parts.push(`"fields":[${texts.join(",")}]`);
  }
  if (name !== null) parts.push(`"name":${quoted(name)}`);
  if (scale !== null) parts.push(`"parameters":{"scale":"${scale}"}`);
  if (schema.default !== null) parts.push(`"default":${schema.default}`);
  return `{${parts.join(",")}${more}}`;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
