/** Random requests of `bulkhead transform --json-lines`: any transforms with any settings on any record. */

/** At least 0, less than 1. */
export type Random = () => number;

/** Random by a seed, the same everywhere (mulberry32). */
export function randomBy(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** One request as its line of JSON. Names are few, so that settings and records meet. */
export function randomRequest(random: Random): string {
  return new Requests(random).request();
}

const names = ["a", "b", "c", "id", "a.b", "s"];
const logical = "org.apache.kafka.connect.data.";
const integers = ["0", "1", "-1", "127", "-128", "300", "70000", "2147483647", "1700000000123"];
const longs = [...integers, "9223372036854775807", "-9223372036854775808", "9007199254740993"];
const reals = ["0.0", "-0.0", "1.5", "-3.99", "1e20", "1E-7", "0.1", "16777217.0"];
const strings = ["", "x", "1", "-7", "true", "3.5", " 4 ", "2020-01-02", "é😀", "$a", "NaN", "1e3"];

class Requests {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  request(): string {
    const config = new Map<string, string>();
    const aliases = this.#chance(0.8) ? ["t"] : ["t", "u"];
    config.set("transforms", aliases.join(","));
    for (const alias of aliases) this.#transform(config, `transforms.${alias}.`);
    if (this.#chance(0.15)) this.#predicate(config);
    const members = [...config].map(([name, value]) => `${quoted(name)}:${quoted(value)}`);
    return `{"op":"transform","transforms":{${members.join(",")}},"record":${this.#record()}}`;
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }

  #pick<T>(all: readonly T[]): T {
    return all[Math.floor(this.#random() * all.length)] as T;
  }

  #count(max: number): number {
    return Math.floor(this.#random() * (max + 1));
  }

  #some<T>(all: readonly T[], max: number): readonly T[] {
    return Array.from({ length: this.#count(max) }, () => this.#pick(all));
  }

  #transform(config: Map<string, string>, prefix: string): void {
    const [name, isKeyed, settings] = this.#pick(transforms);
    const part = isKeyed ? this.#pick(["$Key", "$Value", "$Value"]) : "";
    config.set(`${prefix}type`, `org.apache.kafka.connect.transforms.${name}${part}`);
    for (const [key, values] of Object.entries(settings)) {
      // A key in capitals may be left out.
      if (key !== key.toLowerCase() && this.#chance(0.5)) continue;
      if (this.#chance(0.02)) continue;
      const value = typeof values === "string" ? this.#list(values) : this.#pick(values);
      config.set(prefix + key.toLowerCase(), value);
    }
    if (this.#chance(0.2)) config.set(`${prefix}replace.null.with.default`, "false");
  }

  #list(form: string): string {
    const items = this.#some(names, 3).concat(this.#chance(0.9) ? [this.#pick(names)] : []);
    const types = ["int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string"];
    if (form === "casts" && this.#chance(0.3)) return this.#pick(types);
    if (form === "casts") return items.map((each) => `${each}:${this.#pick(types)}`).join(",");
    if (form === "renames") return items.map((each) => `${each}:${this.#pick(names)}`).join(",");
    return items.join(",");
  }

  #predicate(config: Map<string, string>): void {
    const of = "org.apache.kafka.connect.transforms.predicates.";
    config.set("predicates", "p");
    config.set("transforms.t.predicate", "p");
    if (this.#chance(0.3)) config.set("transforms.t.negate", "true");
    const kind = this.#pick(["HasHeaderKey", "RecordIsTombstone", "TopicNameMatches"]);
    config.set("predicates.p.type", of + kind);
    if (kind === "HasHeaderKey") config.set("predicates.p.name", this.#pick(["h", "i", ""]));
    if (kind === "TopicNameMatches") config.set("predicates.p.pattern", this.#pick(patterns));
  }

  #record(): string {
    const isSource = this.#chance(0.3);
    const topic = this.#pick(["orders", "a-b-c", "x"]);
    const partition = this.#chance(0.2) ? "null" : this.#pick(["0", "3"]);
    const timestamp = this.#chance(0.2) ? "null" : this.#pick(["0", "1700000000123", "-5"]);
    const headers = this.#some(["h", "i"], 2).map((name) => `{"key":"${name}",${this.#data(1)}}`);
    const place = isSource ? "" : `"offset":${this.#pick(["0", "42"])},`;
    return (
      `{"kind":"${isSource ? "source" : "sink"}","topic":"${topic}","partition":${partition},${place}` +
      `"timestamp":${timestamp},"key":{${this.#data(2)}},"value":{${this.#data(3)}},` +
      `"headers":[${headers.join(",")}]}`
    );
  }

  /** The two members of a key, value or header. */
  #data(depth: number): string {
    if (this.#chance(0.4)) return `"schema":null,"value":${this.#schemaless(depth, 0.75)}`;
    const schema = this.#chance(0.7) ? this.#struct(depth) : this.#schema(depth);
    return `"schema":${written(schema)},"value":${this.#value(schema)}`;
  }

  #schemaless(depth: number, mapShare: number): string {
    if (depth > 0 && this.#chance(mapShare)) {
      const members = new Map(
        this.#some(names, 5).map((name) => [name, this.#schemaless(depth - 1, 0.2)]),
      );
      return `{${[...members].map(([name, value]) => `${quoted(name)}:${value}`).join(",")}}`;
    }
    if (depth > 0 && this.#chance(0.15)) {
      return `[${this.#some([0, 1], 2).map(() => this.#schemaless(depth - 1, 0.1))}]`;
    }
    return this.#pick([
      () => "null",
      () => this.#pick(["true", "false"]),
      () => this.#pick(longs),
      () => this.#pick(reals),
      () => quoted(this.#pick(strings)),
      () => quoted(this.#pick(strings)),
      () => this.#tagged(),
    ])();
  }

  #tagged(): string {
    return this.#pick([
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
    if (depth > 0 && this.#chance(0.35)) {
      const type = this.#pick(["array", "map", "struct", "struct"]);
      if (type === "struct") return this.#struct(depth - 1);
      const keys = type === "map" ? newSchema(this.#pick(["string", "string", "int32"])) : null;
      return { ...this.#frame(type), keys, values: this.#schema(depth - 1) };
    }
    const [type, name] = this.#pick(leaves);
    const schema = this.#frame(type);
    if (name !== undefined) schema.name = logical + name;
    if (name === "Decimal") schema.scale = this.#pick(["0", "2"]);
    if (this.#chance(0.2)) schema.default = this.#leaf(schema);
    return schema;
  }

  #struct(depth: number): RandomSchema {
    const fields = [...new Set(this.#some(names, 5))].map((name) => ({
      name,
      schema: this.#schema(depth - 1),
    }));
    return { ...this.#frame("struct"), fields };
  }

  #frame(type: string): RandomSchema {
    const schema = newSchema(type);
    schema.optional = this.#chance(0.4);
    if (this.#chance(0.2)) schema.name = this.#pick(["n", "my.Name"]);
    if (this.#chance(0.2)) schema.more = this.#pick([',"version":2', ',"doc":"d"']);
    return schema;
  }

  /** Mostly one that fits. */
  #value(schema: RandomSchema): string {
    if (this.#chance(0.02)) return this.#tagged();
    const mayBeNull = schema.optional || schema.default !== null;
    if (this.#chance(mayBeNull ? 0.25 : 0.02)) return "null";
    const { keys, values, fields } = schema;
    if (schema.type === "struct") {
      const members = fields.map((each) => `${quoted(each.name)}:${this.#value(each.schema)}`);
      return `{${members.join(",")}}`;
    }
    if (values === null) return this.#leaf(schema);
    const items = this.#some(strings, 2).map((text): [string, string] => [
      keys?.type === "int32" ? this.#pick(integers.slice(0, 6)) : quoted(text),
      this.#value(values),
    ]);
    if (keys === null) return `[${items.map(([, item]) => item).join(",")}]`;
    const members = [...new Map(items)];
    return keys.type === "string"
      ? `{${members.map(([key, item]) => `${key}:${item}`).join(",")}}`
      : `[${members.map(([key, item]) => `[${key},${item}]`).join(",")}]`;
  }

  #leaf({ type, name }: RandomSchema): string {
    if (name === `${logical}Time`) return this.#pick(["0", "1", "86399999"]);
    if (name === `${logical}Date`) return this.#pick(["0", "-1", "19000"]);
    switch (type) {
      case "int8":
        return this.#pick(integers.slice(0, 5));
      case "int16":
        return this.#pick(integers.slice(0, 6));
      case "int32":
        return this.#pick(integers.slice(0, 8));
      case "int64":
        return this.#pick(name === null ? longs : integers);
      case "float":
      case "double":
        return this.#pick([...reals, '"NaN"', '"Infinity"']);
      case "boolean":
        return this.#pick(["true", "false"]);
      case "string":
        return quoted(this.#pick(strings));
      default:
        return this.#pick(['"AA=="', '"CgEC"', '"/w=="']);
    }
  }
}

interface RandomSchema {
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

const patterns = ["orders", "o.*", "(.*)-(.*)", "(?i)X", "[a-c&&b].*", "(", "(.+)+z"];

/**
 * Name, whether it is for keys and values, and settings: what they may be, or which kind of list.
 * Those with capitals are optional.
 */
const transforms: readonly (readonly [
  string,
  boolean,
  Readonly<Record<string, readonly string[] | string>>,
])[] = [
  ["Cast", true, { spec: "casts" }],
  ["DropHeaders", false, { headers: ["h", "h,i", "", "x"] }],
  [
    "ExtractField",
    true,
    {
      field: [...names, "a.b.c", "`a.b`", "a.`b", "a."],
      "FIELD.syntax.version": ["V1", "V2"],
    },
  ],
  ["Filter", false, {}],
  ["Flatten", true, { DELIMITER: [".", "_", ""] }],
  [
    "HeaderFrom",
    true,
    {
      fields: ["a", "a,b", "b,id", "c", "a.b", "s,s"],
      headers: ["h", "h,i", "x,x"],
      operation: ["move", "copy"],
    },
  ],
  ["HoistField", true, { field: names }],
  [
    "InsertField",
    true,
    {
      "TOPIC.field": ["t", "t!", "a"],
      "PARTITION.field": ["p", "p!", "p?"],
      "OFFSET.field": ["o", "o!"],
      "TIMESTAMP.field": ["ts", "ts!"],
      "STATIC.field": ["st", "b"],
      "STATIC.value": ["v"],
    },
  ],
  [
    "InsertHeader",
    false,
    {
      header: ["h", "new", ""],
      "value.literal": [
        "5",
        "x",
        "",
        "1.5",
        "[1,2]",
        '{"a":1}',
        "2020-01-02",
        "null",
        "12:00:00.000Z",
      ],
    },
  ],
  [
    "MaskField",
    true,
    {
      fields: "names",
      REPLACEMENT: ["5", "x", "3.99", "-1", "1e30", "300", "", "99999999999999999999"],
    },
  ],
  [
    "RegexRouter",
    false,
    { regex: patterns, replacement: ["y", "$1", "$2-$1", "$0", "\\$", "$", "$" + "{n}"] },
  ],
  ["ReplaceField", true, { EXCLUDE: "names", INCLUDE: "names", RENAMES: "renames" }],
  [
    "SetSchemaMetadata",
    true,
    { "SCHEMA.name": ["new.Name", "", `${logical}Date`], "SCHEMA.version": ["3", "x"] },
  ],
  [
    "TimestampConverter",
    true,
    {
      FIELD: names,
      "target.type": ["string", "unix", "Date", "Time", "Timestamp", "x"],
      FORMAT: ["yyyy-MM-dd", "yyyy-MM-dd HH:mm:ss.SSS", "b"],
      "UNIX.precision": ["seconds", "milliseconds", "microseconds", "nanoseconds"],
    },
  ],
  [
    "TimestampRouter",
    false,
    {
      "TOPIC.format": ["$" + "{topic}-$" + "{timestamp}", "x"],
      "TIMESTAMP.format": ["yyyyMMdd", "HH", "b"],
    },
  ],
  ["ValueToKey", false, { fields: "names" }],
];
