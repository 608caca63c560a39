import type { ConfigKey, ConfigKeys, ConfigOf, ConfigType, ConfigValidator } from "./config.ts";
import { javaDouble } from "./java-number.ts";
import { ConfigError } from "./plugin-error.ts";
import { Secret } from "./secret.ts";

/** One key after parsing. */
export interface ParsedKey {
  readonly name: string;
  /** Undefined where nothing was given and there is no default, or where parsing failed. */
  readonly value: unknown;
  /** The value as Kafka Connect prints it; null = none. */
  readonly text: string | null;
  readonly errors: readonly string[];
}

/** Texts as a config file has them. */
export type ConfigTexts = Readonly<Record<string, string>>;

/** Reads every declared key; errors are collected, with the messages of Kafka Connect's ConfigDef. */
export function parseKeys(keys: ConfigKeys, given: ConfigTexts): ParsedKey[] {
  return Object.entries(keys).map(([name, key]) => parseKey(name, key, given[name]));
}

/** The typed config. @throws ConfigError with all problems */
export function parseConfig<Keys extends ConfigKeys>(
  keys: Keys,
  given: ConfigTexts,
): ConfigOf<Keys> {
  const parsed = parseKeys(keys, given);
  const problems = parsed.flatMap((one) =>
    one.errors.map((message) => ({ key: one.name, message })),
  );
  if (problems.length > 0) {
    throw new ConfigError(problems.map((one) => one.message).join("; "), { problems });
  }
  return Object.fromEntries(parsed.map((one) => [one.name, one.value])) as ConfigOf<Keys>;
}

function parseKey(name: string, key: ConfigKey, given: string | undefined): ParsedKey {
  const source = given ?? key.defaultText;
  if (source === null) {
    if (!key.required) return { name, value: undefined, text: null, errors: [] };
    const missing = `Missing required configuration "${name}" which has no default value.`;
    return { name, value: undefined, text: null, errors: [missing, ...checkNull(name, key)] };
  }
  const value = parseText(key.type, source);
  if (value === undefined) {
    const wrong = invalid(name, source, expectation(key.type));
    return { name, value: undefined, text: null, errors: [wrong, ...checkNull(name, key)] };
  }
  const broken = key.validator && check(key.validator, value);
  const text = textOf(key.type, value, source);
  return { name, value, text, errors: broken ? [invalid(name, text, broken)] : [] };
}

function invalid(name: string, value: string, reason: string): string {
  return `Invalid value ${value} for configuration ${name}: ${reason}`;
}

/** Connect's validators still run after a failed parse, on null. */
function checkNull(name: string, key: ConfigKey): string[] {
  const { validator } = key;
  if (validator?.at === "range") return [invalid(name, "null", "Value must be non-null")];
  if (validator?.at === "one-of") return [invalid(name, "null", oneOfReason(validator))];
  return [];
}

function expectation(type: ConfigType): string {
  return type === "BOOLEAN"
    ? "Expected value to be either true or false"
    : `Not a number of type ${type}`;
}

const integers = { SHORT: 15n, INT: 31n, LONG: 63n } as const;
const javaDoublePattern = /^[+-]?(NaN|Infinity|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[fFdD]?)$/;

function parseText(type: ConfigType, text: string): unknown {
  const trimmed = text.trim();
  switch (type) {
    case "BOOLEAN": {
      const lower = trimmed.toLowerCase();
      return lower === "true" ? true : lower === "false" ? false : undefined;
    }
    case "SHORT":
    case "INT":
    case "LONG": {
      if (!/^[+-]?\d+$/.test(trimmed)) return undefined;
      const value = BigInt(trimmed.replace(/^\+/, ""));
      const limit = 1n << integers[type];
      return value >= -limit && value < limit ? Number(value) : undefined;
    }
    case "DOUBLE":
      return javaDoublePattern.test(trimmed)
        ? Number(trimmed.replace(/(?<![a-z])[fFdD]$/, ""))
        : undefined;
    case "LIST":
      return trimmed === "" ? [] : trimmed.split(/\s*,\s*/);
    case "PASSWORD":
      return new Secret(text);
    case "STRING":
    case "CLASS":
      return trimmed;
  }
}

function textOf(type: ConfigType, value: unknown, source: string): string {
  if (type === "LONG") return String(BigInt(source.trim().replace(/^\+/, "")));
  if (type === "DOUBLE") return javaDouble(value as number);
  return Array.isArray(value) ? value.join(",") : String(value);
}

/** What is wrong with the value; undefined = nothing. */
function check(validator: ConfigValidator, value: unknown): string | undefined {
  switch (validator.at) {
    case "range": {
      const { min, max } = validator;
      if (min !== undefined && Number(value) < min) return `Value must be at least ${min}`;
      if (max !== undefined && Number(value) > max) return `Value must be no more than ${max}`;
      return undefined;
    }
    case "one-of": {
      const fold = (text: string) => (validator.caseInsensitive ? text.toUpperCase() : text);
      const found = validator.values.some((one) => fold(one) === fold(String(value)));
      return found ? undefined : oneOfReason(validator);
    }
    case "non-empty":
      return value === "" ? "String must be non-empty" : undefined;
    case "pattern":
      return new RegExp(`^(?:${validator.regex})$`).test(String(value))
        ? undefined
        : `String must match pattern ${validator.regex}`;
  }
}

function oneOfReason(validator: ConfigValidator & { at: "one-of" }): string {
  const values = validator.values.join(", ");
  return validator.caseInsensitive
    ? `String must be one of (case insensitive): ${values}`
    : `String must be one of: ${values}`;
}
