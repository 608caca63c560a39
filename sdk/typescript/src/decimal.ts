/** A decimal number of any size: `unscaled` × 10^−`scale`. */
export class Decimal {
  readonly unscaled: bigint;
  readonly scale: number;

  constructor(unscaled: bigint, scale: number) {
    this.unscaled = unscaled;
    this.scale = scale;
  }

  /** `Decimal.parse("123.45")` has scale 2. */
  static parse(text: string): Decimal {
    const match = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(text.trim());
    const digits = `${match?.[2] ?? ""}${match?.[3] ?? ""}`;
    if (match === null || digits === "") throw new RangeError(`not a decimal number: ${text}`);
    const size = BigInt(digits);
    return new Decimal(match[1] === "-" ? -size : size, (match[3] ?? "").length);
  }

  toString(): string {
    if (this.scale <= 0) return String(this.unscaled * 10n ** BigInt(-this.scale));
    const negative = this.unscaled < 0n;
    const digits = String(negative ? -this.unscaled : this.unscaled).padStart(this.scale + 1, "0");
    const point = digits.length - this.scale;
    return `${negative ? "-" : ""}${digits.slice(0, point)}.${digits.slice(point)}`;
  }
}

/** Big-endian two's complement in the fewest bytes, as Java's BigInteger writes it. */
export function encodeBigInteger(value: bigint): Uint8Array {
  let length = 1;
  while (value < -(1n << BigInt(8 * length - 1)) || value >= 1n << BigInt(8 * length - 1)) {
    length += 1;
  }
  const bytes = new Uint8Array(length);
  let rest = BigInt.asUintN(8 * length, value);
  for (let at = length - 1; at >= 0; at -= 1) {
    bytes[at] = Number(rest & 255n);
    rest >>= 8n;
  }
  return bytes;
}

export function decodeBigInteger(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n;
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
  return BigInt.asIntN(8 * bytes.length, BigInt(`0x${hex}`));
}
