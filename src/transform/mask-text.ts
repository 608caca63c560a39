/** The replacement of MaskField as a value of the class that is masked. */
import { asciiDigits } from "../convert/header-scalar.ts";
import { type Decimal, parseDecimal } from "../record/logical.ts";
import { invalid } from "../record/payload.ts";
import type { ContentOf, ValueType } from "../record/value.ts";

/** Numbers are read as BigDecimal does, then cut to the class as Java's casts do. */
export class MaskText {
  readonly #text: string;
  readonly #decimal: Decimal | undefined;
  readonly #long: bigint;
  readonly #double: number;

  constructor(text: string) {
    this.#text = text;
    const plain = asciiDigits(text);
    this.#decimal = parseDecimal(plain);
    this.#long = this.#decimal === undefined ? 0n : longOf(this.#decimal);
    this.#double = this.#decimal?.unscaled === 0n ? 0 : Number(plain);
  }

  /** Undefined for classes that cannot be replaced. @throws RecordError where it is no number */
  as(type: ValueType): ContentOf[ValueType] | undefined {
    switch (type) {
      case "string":
        return this.#text;
      case "int8":
      case "int16":
      case "int32":
        return Number(BigInt.asIntN(Number(type.slice(3)), this.#number(this.#long)));
      case "int64": {
        const long = this.#number(this.#long);
        return Number.isSafeInteger(Number(long)) ? Number(long) : long;
      }
      case "float32":
        return Math.fround(this.#number(this.#double));
      case "float64":
        return this.#number(this.#double);
      case "decimal":
        if (this.#decimal === undefined) throw this.#noNumber("to number");
        return this.#decimal;
      case "bigint": {
        const plain = asciiDigits(this.#text);
        if (!/^[+-]?\d+$/.test(plain)) throw this.#noNumber("to number");
        return BigInt(plain.replace("+", ""));
      }
      default:
        return undefined;
    }
  }

  #number<T>(value: T): T {
    if (this.#decimal === undefined) throw this.#noNumber("to a number");
    return value;
  }

  #noNumber(what: string): Error {
    return invalid(`Unable to convert ${this.#text} (class java.lang.String) ${what}`);
  }
}

/** `BigDecimal.longValue`: without the fraction, and of the rest the lowest 64 bits. */
function longOf({ unscaled, scale }: Decimal): bigint {
  // Beyond these powers of ten nothing is left, and they would take long to compute.
  if (scale <= -64 || scale > unscaled.toString().length) return 0n;
  const whole = scale > 0 ? unscaled / 10n ** BigInt(scale) : unscaled * 10n ** BigInt(-scale);
  return BigInt.asIntN(64, whole);
}
