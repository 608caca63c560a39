/** From a header's text to a value with a schema, as SimpleHeaderConverter guesses it. */
import { dayMs, isoDate, isoTime } from "../record/java-calendar.ts";
import { decimalString, temporalMs } from "../record/java-string.ts";
import { moved } from "../record/java-value.ts";
import {
  decodeBase64,
  decodeUnscaled,
  encodeUnscaled,
  logicalName,
  rescale,
} from "../record/logical.ts";
import { invalid, scaleOf } from "../record/payload.ts";
import { newSchema, type Schema } from "../record/schema.ts";
import { writeValue } from "../record/tagged-json.ts";
import { Floating, type JsonValue } from "../record/value.ts";
import { isJavaDigit, parseNumber, parseTemporal, type Typed } from "./header-scalar.ts";
import { HeaderTokens, javaTrim } from "./header-tokens.ts";

const stringSchema = newSchema("string");
const booleanSchema = newSchema("boolean");

/** Deeper texts are strings; the stack has an end. */
const depthMax = 300;

/**
 * null = the null without a schema. A text that is nothing else is a string. With `exact` an item that is
 * not of its place's class is tagged, as transforms need it; else it is as near to it as JSON comes.
 */
export function parseHeader(text: string, exact = false): Typed | null {
  if (text === "") return string(text);
  return new HeaderParser(text, exact).value(false, 0);
}

function string(value: string): Typed {
  return { schema: stringSchema, value };
}

/** A structure that is none after all: the whole text is a string then. */
const broken = invalid("the header is no array or map");

class HeaderParser {
  readonly #tokens: HeaderTokens;
  readonly #exact: boolean;

  constructor(text: string, exact: boolean) {
    this.#tokens = new HeaderTokens(text);
    this.#exact = exact;
  }

  /** @throws `broken`, only if embedded. */
  value(embedded: boolean, depth: number): Typed | null {
    const tokens = this.#tokens;
    if (tokens.done) return null;
    if (embedded && tokens.take('"')) return this.#quoted();
    if (this.#literal("null", embedded)) return null;
    if (this.#literal("true", embedded)) return { schema: booleanSchema, value: true };
    if (this.#literal("false", embedded)) return { schema: booleanSchema, value: false };
    const start = tokens.mark();
    try {
      if (tokens.take("[")) return this.#array(depth + 1);
      if (tokens.take("{")) return this.#map(depth + 1);
    } catch (error) {
      if (embedded || error !== broken) throw error;
      tokens.rewind(start);
    }
    const token = tokens.next();
    const trimmed = javaTrim(token);
    if (trimmed === "") return string(token);
    const scalar = this.#scalar(trimmed);
    if (scalar !== undefined) return scalar;
    if (embedded) throw broken;
    return string(tokens.text);
  }

  #literal(word: string, embedded: boolean): boolean {
    const start = this.#tokens.mark();
    if (this.#tokens.take(word) && (embedded || this.#tokens.done)) return true;
    this.#tokens.rewind(start);
    return false;
  }

  #scalar(token: string): Typed | undefined {
    const first = token[0] as string;
    const isDigit = isJavaDigit(first);
    const found = isDigit ? this.#temporal(token) : undefined;
    if (found !== undefined) return found;
    return isDigit || first === "+" || first === "-" ? parseNumber(token) : undefined;
  }

  /** The colons of a time make five tokens of it. */
  #temporal(token: string): Typed | undefined {
    const start = this.#tokens.mark();
    const rest = this.#tokens.join(4);
    const joined = rest === undefined ? undefined : parseTemporal(token + rest);
    if (joined !== undefined) return joined;
    this.#tokens.rewind(start);
    return parseTemporal(token);
  }

  #quoted(): Typed {
    let content = "";
    while (!this.#tokens.done && !this.#tokens.takeExactly('"')) content += this.#tokens.next();
    return parseTemporal(content) ?? string(content);
  }

  #array(depth: number): Typed {
    const tokens = this.#tokens;
    const items: (Typed | null)[] = [];
    if (depth > depthMax) throw broken;
    while (!tokens.done) {
      if (tokens.take("]")) return typedArray(items, this.#exact);
      if (tokens.take(",")) throw broken;
      items.push(this.value(true, depth));
      const mark = tokens.mark();
      if (tokens.take("]")) tokens.rewind(mark);
      else if (!tokens.take(",")) throw broken;
    }
    throw broken;
  }

  #map(depth: number): Typed {
    const tokens = this.#tokens;
    const entries = new Map<string, readonly [Typed, Typed | null]>();
    if (depth > depthMax) throw broken;
    while (!tokens.done) {
      if (tokens.take("}")) return typedMap([...entries.values()], this.#exact);
      if (tokens.take(",")) throw broken;
      const key = this.value(true, depth);
      if (key === null || !tokens.take(":")) throw broken;
      const value = this.value(true, depth);
      entries.set(identity(key), [key, value]);
      tokens.take(",");
    }
    throw broken;
  }
}

/** Equal for what Java's equals calls equal. */
function identity({ schema, value }: Typed): string {
  return `${schema.type} ${schema.name ?? ""} ${writeValue(schema, value)}`;
}

function typedArray(items: readonly (Typed | null)[], exact: boolean): Typed {
  const common = commonSchema(items);
  const schema = newSchema("array", { values: common });
  return { schema, value: items.map((item) => aligned(item, common, exact)) };
}

function typedMap(entries: readonly (readonly [Typed, Typed | null])[], exact: boolean): Typed {
  const keys = commonSchema(entries.map(([key]) => key));
  const values = keys === null ? null : commonSchema(entries.map(([, value]) => value));
  const schema = newSchema("map", { keys, values });
  const pairs = entries.map(([key, value]): [JsonValue, JsonValue] => [
    aligned(key, keys, exact),
    aligned(value, values, exact),
  ]);
  const isObject = keys?.type === "string";
  return { schema, value: isObject ? new Map(pairs as [string, JsonValue][]) : pairs };
}

const numeric = ["int8", "int16", "int32", "int64", "float", "double"];

/** The schema that all have or widen to; null for none. Nulls do not count. */
function commonSchema(items: readonly (Typed | null)[]): Schema | null {
  let common: Schema | null = null;
  for (const item of items) {
    if (item === null) continue;
    const { schema } = item;
    if (common === null || common.type === schema.type) {
      common = schema;
      continue;
    }
    const [have, next] = [numeric.indexOf(common.type), numeric.indexOf(schema.type)];
    if (have < 0 || next < 0) return null;
    if (next > have) common = schema;
  }
  return common;
}

/**
 * The element as a payload of the common schema, or of none; `exact` keeps its class, tagged where it is
 * another than the place's. @throws `broken`
 */
function aligned(item: Typed | null, common: Schema | null, exact: boolean): JsonValue {
  if (common === null) {
    if (item === null) return null;
    return exact ? (moved(item.schema, item.value, null) as JsonValue) : schemaless(item);
  }
  if (item === null) throw broken;
  const { schema, value } = item;
  // Elements of nested lists and maps are left as they are.
  const isNested = schema.type === "array" || schema.type === "map";
  if (exact && isNested) return moved(schema, value, common) as JsonValue;
  const ms = temporalMs(schema, value);
  if (ms !== undefined) return alignedMoment(ms, common);
  if (schema.name !== logicalName.decimal) return value;
  const unscaled = decodeUnscaled(decodeBase64(value as string) ?? new Uint8Array(0));
  const scale = scaleOf(schema) ?? 0;
  const scaled = rescale({ unscaled: unscaled ?? 0n, scale }, scaleOf(common) ?? 0);
  if (scaled === undefined) throw broken;
  return encodeUnscaled(scaled.unscaled).toString("base64");
}

function alignedMoment(ms: number, common: Schema): JsonValue {
  switch (common.name) {
    case logicalName.date:
      return Math.floor(ms / dayMs);
    case logicalName.time:
      return ((ms % dayMs) + dayMs) % dayMs;
    case logicalName.timestamp:
      return ms;
    default:
      throw broken;
  }
}

/** As near as JSON without a schema comes to it: dates are text, other keys than text make pairs. */
function schemaless({ schema, value }: Typed): JsonValue {
  const ms = temporalMs(schema, value);
  if (ms !== undefined) {
    if (schema.name === logicalName.date) return isoDate(ms);
    return schema.name === logicalName.time ? isoTime(ms) : `${isoDate(ms)}T${isoTime(ms)}`;
  }
  if (schema.name !== logicalName.decimal) return value;
  const text = decimalString(schema, value);
  return new Floating(/[.E]/.test(text) ? text : `${text}.0`);
}
