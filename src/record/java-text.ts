/** Numbers as Java prints them. */

/** The text of a float64: `1.0`, `1.0E10`, `1.0E-5`, `NaN`, `-Infinity`. */
export function javaDouble(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e7) return Number.isInteger(value) ? `${value}.0` : String(value);
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  if (!Number.isFinite(value)) return String(value);
  // Java writes two digits at least, and of these the nearest: 4.9E-324 where one, 5, would do.
  const two = value.toExponential(1);
  const text = Number(two) === value ? two : value.toExponential();
  const [digits = "", exponent = ""] = text.split("e");
  const power = exponent.startsWith("+") ? exponent.slice(1) : exponent;
  return `${digits.includes(".") ? digits : `${digits}.0`}E${power}`;
}

/** The same for a float32: the fewest digits that give back the same float32. */
export function javaFloat(value: number): string {
  const float = Math.fround(value);
  if (!Number.isFinite(float) || float === 0) return javaDouble(float);
  let shortest = float;
  for (let digits = 2; digits <= 9; digits += 1) {
    shortest = Number(float.toPrecision(digits));
    if (Math.fround(shortest) === float) break;
  }
  return javaDouble(shortest);
}

/** A byte array as Java's `toString` shows it; its identity hash stands for nothing, a content hash for the bytes. */
export function javaBytes(bytes: Uint8Array): string {
  let hash = 1;
  for (const byte of bytes) hash = (Math.imul(hash, 31) + ((byte << 24) >> 24)) | 0;
  return `[B@${(hash >>> 0).toString(16)}`;
}
