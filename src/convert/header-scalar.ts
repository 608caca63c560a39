/** Dates and numbers as SimpleHeaderConverter recognises them in a header's text. */
import { dayMs, dayToMs } from "../record/java-calendar.ts";
import { javaDouble, javaFloat } from "../record/java-text.ts";
import { encodeUnscaled, logicalName, parseDecimal } from "../record/logical.ts";
import { newSchema, type Schema } from "../record/schema.ts";
import { Floating, type JsonValue } from "../record/value.ts";

/** What a text was found to be, as a payload of its schema. */
export interface Typed {
  readonly schema: Schema;
  readonly value: JsonValue;
}

const dateSchema = newSchema("int32", { name: logicalName.date, version: 1 });
const timeSchema = newSchema("int32", { name: logicalName.time, version: 1 });
const timestampSchema = newSchema("int64", { name: logicalName.timestamp, version: 1 });
const int8Schema = newSchema("int8");
const int16Schema = newSchema("int16");
const int32Schema = newSchema("int32");
const int64Schema = newSchema("int64");
const floatSchema = newSchema("float");
const doubleSchema = newSchema("double");

// SimpleDateFormat skips blanks before a number, takes signs, and does not look beyond its pattern.
const number = "[ \\t]*(-?\\d+)";
const dateText = new RegExp(`^${number}-${number}-${number}`);
const timeText = new RegExp(`^${number}:${number}:${number}\\.${number}Z`);
const timestampText = new RegExp(
  `^${number}-${number}-${number}T${number}:${number}:${number}\\.${number}Z`,
);

/** The three forms are told apart by their length; `\:` counts as `:`. */
export function parseTemporal(token: string): Typed | undefined {
  const text = token.replaceAll("\\:", ":");
  if (text.length === 13) return temporal(timeSchema, timeText, text, clockMs);
  if (text.length === 24) {
    return temporal(
      timestampSchema,
      timestampText,
      text,
      ([year, month, day, ...clock]) => dayToMs(year ?? 0, month ?? 0, day ?? 0) + clockMs(clock),
    );
  }
  if (text.length !== 10) return undefined;
  return temporal(
    dateSchema,
    dateText,
    text,
    ([year, month, day]) => dayToMs(year ?? 0, month ?? 0, day ?? 0) / dayMs,
  );
}

function temporal(
  schema: Schema,
  pattern: RegExp,
  text: string,
  read: (parts: number[]) => number,
): Typed | undefined {
  const match = pattern.exec(text);
  return match === null ? undefined : { schema, value: read(match.slice(1).map(Number)) };
}

function clockMs([hour = 0, minute = 0, second = 0, ms = 0]: number[]): number {
  return ((hour * 60 + minute) * 60 + second) * 1_000 + ms;
}

/** The smallest type that holds a number, in Connect's order; undefined if it is none. */
export function parseNumber(token: string): Typed | undefined {
  const text = asciiDigits(token);
  const decimal = parseDecimal(text);
  if (decimal === undefined) return undefined;
  const { unscaled, scale } = decimal;
  const integer = integerOf(unscaled, scale);
  if (integer !== undefined) return { schema: integerSchema(integer), value: exact(integer) };
  const value = Number(text);
  if (scale !== 0 && Number.isFinite(Math.fround(value))) {
    return { schema: floatSchema, value: new Floating(javaFloat(value)) };
  }
  if (scale !== 0 && Number.isFinite(value)) {
    return { schema: doubleSchema, value: new Floating(javaDouble(value)) };
  }
  const parameters = new Map([["scale", String(scale)]]);
  const schema = newSchema("bytes", { name: logicalName.decimal, version: 1, parameters });
  return { schema, value: encodeUnscaled(unscaled).toString("base64") };
}

/** The value if it is an integer within int64. */
function integerOf(unscaled: bigint, scale: number): bigint | undefined {
  if (unscaled === 0n) return 0n;
  // int64 has 19 digits: larger powers of ten are settled without computing them.
  if (scale < -19 || scale > unscaled.toString().length) return undefined;
  const divisor = scale > 0 ? 10n ** BigInt(scale) : 1n;
  if (unscaled % divisor !== 0n) return undefined;
  const value = scale > 0 ? unscaled / divisor : unscaled * 10n ** BigInt(-scale);
  return value === BigInt.asIntN(64, value) ? value : undefined;
}

function integerSchema(value: bigint): Schema {
  if (value === BigInt.asIntN(8, value)) return int8Schema;
  if (value === BigInt.asIntN(16, value)) return int16Schema;
  return value === BigInt.asIntN(32, value) ? int32Schema : int64Schema;
}

function exact(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** Whether Java's Character.isDigit holds for the unit. */
export function isJavaDigit(unit: string): boolean {
  return (unit >= "0" && unit <= "9") || /^\p{Nd}$/u.test(unit);
}

/**
 * Decimal digits of any script, which Java reads as well, as ASCII. They come in tens that begin at a
 * code ending in 0 or 6.
 */
export function asciiDigits(text: string): string {
  return text.replace(/\p{Nd}/gu, (digit) => {
    const code = digit.codePointAt(0) as number;
    if (code > 0xffff) return digit;
    const beginsAtZero = isJavaDigit(String.fromCharCode(code & 0xfff0));
    return String((code & 15) - (beginsAtZero ? 0 : 6));
  });
}
