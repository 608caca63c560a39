/** The text of a float64 as Java prints it: `1.0`, `1.0E10`, `1.0E-5`, `NaN`, `Infinity`. */
export function javaDouble(value: number): string {
  if (Number.isInteger(value) && value < 1e7 && value > -1e7) {
    return value === 0 && 1 / value < 0 ? "-0.0" : `${value}.0`;
  }
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e7) return String(value);
  if (!Number.isFinite(value)) return String(value);
  // Java writes two digits at least, and of these the nearest: 4.9E-324 where one, 5, would do.
  const two = value.toExponential(1);
  return scientific(Number(two) === value ? two : value.toExponential());
}

/** The same for a float32: the shortest digits that give back the same float32. */
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

/** `1e+30` to `1.0E30`. */
function scientific(text: string): string {
  const at = text.indexOf("e");
  const digits = text.slice(0, at);
  const exponent = text.slice(text[at + 1] === "+" ? at + 2 : at + 1);
  return `${digits.includes(".") ? digits : `${digits}.0`}E${exponent}`;
}
