/** Numbers turned into other numbers, and texts into numbers, as Java does. */
import { asciiDigits } from "../convert/header-scalar.ts";
import type { Decimal } from "../record/logical.ts";

/** The types that are numbers. */
export const numberTypes = ["int8", "int16", "int32", "int64", "float32", "float64"] as const;

export type NumberType = (typeof numberTypes)[number];

/** A number of any class: floats and doubles are `{ double }`. */
export type JavaNumber = bigint | Decimal | { readonly double: number };

/** Java's narrowing conversions (`Number.byteValue` and its like). */
export function numberAs(type: NumberType, value: JavaNumber): number | bigint {
  if (type === "float64") return doubleOf(value);
  if (type === "float32")
    return typeof value === "bigint" ? floatOf(value) : Math.fround(doubleOf(value));
  const isDouble = typeof value !== "bigint" && "double" in value;
  // A double goes to the small types by way of an int, which saturates.
  const wide = isDouble ? saturated(value.double, type === "int64" ? 64 : 32) : wholeOf(value);
  return exact(BigInt.asIntN(Number(type.slice(3)), wide));
}

/** Any integer that fits: a number where that is exact. */
export function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function doubleOf(value: JavaNumber): number {
  if (typeof value === "bigint") return Number(value);
  return "double" in value ? value.double : Number(`${value.unscaled}e${-value.scale}`);
}

/** A long to the nearest float: by way of a double it would be rounded twice. */
function floatOf(value: bigint): number {
  const size = value < 0n ? -value : value;
  if (size < 1n << 53n) return Math.fround(Number(value));
  // What is cut off only counts as being there or not.
  const head = (size >> 11n) << 11n;
  const sticky = head === size ? 0n : 1n << 11n;
  const float = Math.fround(Number(head | sticky));
  return value < 0n ? -float : float;
}

function saturated(value: number, bits: number): bigint {
  if (Number.isNaN(value)) return 0n;
  const most = 2n ** BigInt(bits - 1);
  if (value >= Number(most)) return most - 1n;
  return value <= -Number(most) ? -most : BigInt(Math.trunc(value));
}

/** The integer part, or what its lowest 64 bits are made of. */
function wholeOf(value: bigint | Decimal): bigint {
  if (typeof value === "bigint") return value;
  const { unscaled, scale } = value;
  // Beyond these powers of ten nothing of the lowest 64 bits is left, and they would take long to compute.
  if (scale <= -64 || scale > unscaled.toString().length) return 0n;
  return scale > 0 ? unscaled / 10n ** BigInt(scale) : unscaled * 10n ** BigInt(-scale);
}

/** `Integer.parseInt` and its like: digits of any script, a sign, nothing else; undefined where Java throws. */
export function parseInteger(text: string, bits: number): bigint | undefined {
  const plain = asciiDigits(text);
  if (!/^[+-]?\d+$/.test(plain)) return undefined;
  const value = BigInt(plain.replace("+", ""));
  return value === BigInt.asIntN(bits, value) ? value : undefined;
}

const decimalSyntax = /^([+-]?)(?:(NaN)|(Infinity)|((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)[fFdD]?)$/;
const hexSyntax =
  /^([+-]?)0[xX](?:([0-9a-fA-F]+)\.?|([0-9a-fA-F]*)\.([0-9a-fA-F]+))[pP]([+-]?\d+)[fFdD]?$/;

/** `Double.parseDouble`: blanks around, `1d`, `0x1.8p1`, `NaN`; undefined where Java throws. */
export function parseDouble(text: string): number | undefined {
  const trimmed = trimmedOf(text);
  const match = decimalSyntax.exec(trimmed);
  if (match === null) return parseHex(trimmed);
  const [, sign, none, endless, digits = ""] = match;
  if (none !== undefined) return Number.NaN;
  const size = endless === undefined ? Number(digits) : Number.POSITIVE_INFINITY;
  return sign === "-" ? -size : size;
}

function parseHex(text: string): number | undefined {
  const match = hexSyntax.exec(text);
  if (match === null) return undefined;
  const [, sign, whole, before = "", after = "", power = "0"] = match;
  const digits = whole ?? before + after;
  const exponent = Number(power) - (whole === undefined ? 4 * after.length : 0);
  const size = scaled(BigInt(`0x${digits}`), exponent);
  return sign === "-" ? -size : size;
}

/** mantissa × 2^exponent, rounded once. */
function scaled(mantissa: bigint, exponent: number): number {
  if (mantissa === 0n) return 0;
  const bits = mantissa.toString(2).length;
  if (bits + exponent > 1_024) return Number.POSITIVE_INFINITY;
  if (bits + exponent < -1_080) return 0;
  // With a mantissa below 2^54 the first product is exact, unless the result is subnormal.
  if (bits <= 53 && exponent > -1_022) return Number(mantissa) * 2 ** exponent;
  const wide = exponent >= 0 ? mantissa << BigInt(exponent) : mantissa;
  if (exponent >= 0) return Number(wide);
  return Number(mantissa) * 2 ** Math.max(exponent, -1_000) * 2 ** Math.min(0, exponent + 1_000);
}

/** `String.trim`: control characters and the blank. */
function trimmedOf(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text.charCodeAt(start) <= 32) start += 1;
  while (end > start && text.charCodeAt(end - 1) <= 32) end -= 1;
  return text.slice(start, end);
}
