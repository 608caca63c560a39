/** Connect's logical types and the decimals among them. */
import { Buffer } from "node:buffer";

/** The schema names that give a plain type a meaning. */
export const logicalName = {
  decimal: "org.apache.kafka.connect.data.Decimal",
  date: "org.apache.kafka.connect.data.Date",
  time: "org.apache.kafka.connect.data.Time",
  timestamp: "org.apache.kafka.connect.data.Timestamp",
} as const;

/** Milliseconds of a day that a Time may hold; the end is included, as in Connect. */
export const timeMsMax = 86_400_000;

/** unscaled × 10^-scale, as Java's BigDecimal. */
export interface Decimal {
  readonly unscaled: bigint;
  readonly scale: number;
}

const decimalText = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;
const scaleMax = 2_147_483_647;

/** Reads BigDecimal's notation; undefined where Java would throw. */
export function parseDecimal(text: string): Decimal | undefined {
  const match = decimalText.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = "", fraction = "", exponent = "0"] = match;
  if (whole.length + fraction.length === 0) return undefined;
  const scale = fraction.length - Number(exponent);
  if (Math.abs(scale) > scaleMax || Math.abs(Number(exponent)) > scaleMax) return undefined;
  const unscaled = BigInt(whole + fraction);
  return { unscaled: sign === "-" ? -unscaled : unscaled, scale: scale === 0 ? 0 : scale };
}

/** As BigDecimal prints itself: `123.45`, `5E+2`, `1E-18`. */
export function formatDecimal({ unscaled, scale }: Decimal): string {
  const negative = unscaled < 0n;
  const digits = (negative ? -unscaled : unscaled).toString();
  const sign = negative ? "-" : "";
  if (scale === 0) return sign + digits;
  const exponent = digits.length - 1 - scale;
  if (scale > 0 && exponent >= -6) {
    const padded = digits.padStart(scale + 1, "0");
    return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
  }
  const mantissa = digits.length === 1 ? digits : `${digits[0]}.${digits.slice(1)}`;
  return exponent === 0
    ? sign + mantissa
    : `${sign}${mantissa}E${exponent > 0 ? "+" : ""}${exponent}`;
}

/** The same value with another scale; undefined where digits would be lost. */
export function rescale({ unscaled, scale }: Decimal, wanted: number): Decimal | undefined {
  if (scale === wanted) return { unscaled, scale };
  if (unscaled === 0n) return { unscaled, scale: wanted };
  // A number has at most 1,000 digits in any text; more zeros than that are an attack.
  if (Math.abs(scale - wanted) > 10_000) return undefined;
  if (scale < wanted) return { unscaled: unscaled * 10n ** BigInt(wanted - scale), scale: wanted };
  const divisor = 10n ** BigInt(scale - wanted);
  return unscaled % divisor === 0n ? { unscaled: unscaled / divisor, scale: wanted } : undefined;
}

/** Two's complement, big-endian, as short as possible. */
export function encodeUnscaled(value: bigint): Buffer {
  const magnitude = value < 0n ? -value - 1n : value;
  // One bit is the sign's.
  const bits = magnitude === 0n ? 1 : magnitude.toString(2).length + 1;
  const bytes = Math.ceil(bits / 8);
  const hex = BigInt.asUintN(bytes * 8, value)
    .toString(16)
    .padStart(bytes * 2, "0");
  return Buffer.from(hex, "hex");
}

/** The reverse; undefined for no bytes, which Java refuses. */
export function decodeUnscaled(bytes: Uint8Array): bigint | undefined {
  if (bytes.length === 0) return undefined;
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`));
}

// `[^!-\uffff]` is a blank or control character.
const base64Text =
  /^(?:[^!-\uffff]*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==))*[^!-\uffff]*$/;

/** Padded base64 with blanks between its groups, as Jackson takes it; undefined for anything else. */
export function decodeBase64(text: string): Buffer | undefined {
  if (!base64Text.test(text)) return undefined;
  const inner = text.indexOf("=");
  // Node stops at the first padding; Jackson reads on.
  if (inner >= 0 && /[A-Za-z0-9+/]/.test(text.slice(inner))) {
    return Buffer.concat((text.match(/[A-Za-z0-9+/]{2,4}=*/g) ?? []).flatMap(decodeGroup));
  }
  return Buffer.from(text, "base64");
}

function decodeGroup(group: string): Buffer[] {
  return [Buffer.from(group, "base64")];
}
