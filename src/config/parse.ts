/**
 * Text to typed values, with the messages of Java's ConfigDef: all errors at once, not the first.
 * Parsing and checking are separate steps there, so that a number that cannot be read is also
 * reported as missing by a range; clients match on these texts.
 */
import { javaDouble } from "../record/java-text.ts";
import type { ConfigKey, ConfigType, Validator } from "./config-def.ts";
import { Secret } from "./secret.ts";

export type ParsedValue = string | number | bigint | boolean | readonly string[] | Secret | null;

/** A config as it was submitted: JSON knows nulls, a stored config has none. */
export type SubmittedConfig = Readonly<Record<string, string | null>>;

/** A key of the host, which may be checked by code as well as by data. */
export interface CheckedKey extends ConfigKey {
  /**
   * Says what is wrong with a parsed value (null where parsing failed), or undefined. A `sentence` is the
   * whole message; a text is the reason in Connect's sentence about one value.
   */
  readonly check?: (value: ParsedValue) => string | { readonly sentence: string } | undefined;
}

/** What a key's value came to. */
export interface CheckedValue {
  readonly key: CheckedKey;
  /** Null where it could not be parsed, is missing or is null. */
  readonly value: ParsedValue;
  readonly errors: string[];
}

export interface ParseOptions {
  /** The full name of the class that a CLASS value names for this key; without it any name is good. */
  readonly findClass?: (key: string, name: string) => ClassLookup;
}

export type ClassLookup =
  | { at: "found"; className: string }
  /** Without a message: `Class X could not be found.` */
  | { at: "wrong"; message?: string };

type Parsed = { at: "value"; value: ParsedValue } | { at: "wrong"; message: string };

/** Connect's sentence about one value. */
export function invalidValue(key: string, value: ParsedValue, reason: string): string {
  return `Invalid value ${printed(value)} for configuration ${key}: ${reason}`;
}

/** One value by its type; a null stays null. */
export function parseValue(
  key: Pick<ConfigKey, "name" | "type">,
  text: string | null,
  options: ParseOptions = {},
): Parsed {
  if (text === null) return { at: "value", value: null };
  const trimmed = trimJava(text);
  const wrong = (reason: string): Parsed => ({
    at: "wrong",
    message: invalidValue(key.name, text, reason),
  });
  switch (key.type) {
    case "BOOLEAN": {
      const lower = trimmed.toLowerCase();
      if (lower === "true" || lower === "false") return { at: "value", value: lower === "true" };
      return wrong("Expected value to be either true or false");
    }
    case "STRING":
      return { at: "value", value: trimmed };
    case "PASSWORD":
      return { at: "value", value: new Secret(trimmed) };
    case "LIST":
      return { at: "value", value: trimmed === "" ? [] : trimmed.split(/\s*,\s*/) };
    case "INT":
    case "SHORT":
    case "LONG":
    case "DOUBLE": {
      const number = parseNumber(key.type, trimmed);
      return number === undefined
        ? wrong(`Not a number of type ${key.type}`)
        : { at: "value", value: number };
    }
    case "CLASS": {
      const found = options.findClass?.(key.name, trimmed) ?? { at: "found", className: trimmed };
      if (found.at === "found") return { at: "value", value: found.className };
      if (found.message !== undefined) return { at: "wrong", message: found.message };
      return wrong(`Class ${text} could not be found.`);
    }
  }
}

/** Every key against a config, in the order of the keys. Keys that nobody defined are not looked at. */
export function checkKeys(
  keys: readonly CheckedKey[],
  config: SubmittedConfig,
  options: ParseOptions = {},
): Map<string, CheckedValue> {
  const checked = new Map<string, CheckedValue>();
  for (const key of keys) checked.set(key.name, checkKey(key, config, options));
  return checked;
}

function checkKey(key: CheckedKey, config: SubmittedConfig, options: ParseOptions): CheckedValue {
  const errors: string[] = [];
  let value: ParsedValue = null;
  const given = Object.hasOwn(config, key.name);
  if (!given && key.required) {
    errors.push(`Missing required configuration "${key.name}" which has no default value.`);
  } else {
    const text = given ? (config[key.name] ?? null) : key.defaultValue;
    const parsed = parseValue(key, text, given ? options : {});
    if (parsed.at === "value") value = parsed.value;
    else errors.push(parsed.message);
  }
  const broken = brokenBy(key, value, key.name);
  if (broken !== undefined) errors.push(broken);
  return { key, value, errors };
}

/** What the key's own rules say against a parsed value, under the name that the message shall show. */
export function brokenBy(key: CheckedKey, value: ParsedValue, name: string): string | undefined {
  const reason =
    (key.validator ? brokenRule(key.validator, value) : undefined) ?? key.check?.(value);
  if (reason === undefined) return undefined;
  return typeof reason === "string" ? invalidValue(name, value, reason) : reason.sentence;
}

/** What is wrong with the value by this rule, or undefined. */
function brokenRule(rule: Validator, value: ParsedValue): string | undefined {
  switch (rule.at) {
    case "range": {
      if (value === null) return "Value must be non-null";
      if (typeof value !== "number" && typeof value !== "bigint") return undefined;
      if (rule.min !== undefined && value < rule.min) return `Value must be at least ${rule.min}`;
      if (rule.max !== undefined && value > rule.max)
        return `Value must be no more than ${rule.max}`;
      return undefined;
    }
    case "one-of": {
      const allowed = rule.values.join(", ");
      if (rule.caseInsensitive) {
        const upper = typeof value === "string" ? value.toUpperCase() : undefined;
        if (rule.values.some((each) => each.toUpperCase() === upper)) return undefined;
        return `String must be one of (case insensitive): ${allowed}`;
      }
      if (typeof value === "string" && rule.values.includes(value)) return undefined;
      return `String must be one of: ${allowed}`;
    }
    case "non-empty":
      return value === "" ? "String must be non-empty" : undefined;
    case "pattern": {
      if (typeof value !== "string") return undefined;
      return new RegExp(`^(?:${rule.regex})$`, "u").test(value)
        ? undefined
        : `String must match pattern ${rule.regex}`;
    }
  }
}

/** A parsed value as ConfigInfos shows it. */
export function valueText(value: ParsedValue, type: ConfigType): string | null {
  if (value === null) return null;
  if (type === "DOUBLE" && typeof value === "number") return javaDouble(value);
  if (Array.isArray(value)) return value.join(",");
  return String(value);
}

function printed(value: ParsedValue): string {
  return Array.isArray(value) ? `[${value.join(", ")}]` : String(value);
}

const bounds = {
  SHORT: { min: -(2n ** 15n), max: 2n ** 15n - 1n },
  INT: { min: -(2n ** 31n), max: 2n ** 31n - 1n },
  LONG: { min: -(2n ** 63n), max: 2n ** 63n - 1n },
} as const;

const doubleSyntax = /^[+-]?(NaN|Infinity|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[fFdD]?)$/;

function parseNumber(
  type: "INT" | "SHORT" | "LONG" | "DOUBLE",
  text: string,
): number | bigint | undefined {
  if (type === "DOUBLE") {
    return doubleSyntax.test(text) ? Number(text.replace(/[fFdD]$/, "")) : undefined;
  }
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const exact = BigInt(text.replace(/^\+/, ""));
  const { min, max } = bounds[type];
  if (exact < min || exact > max) return undefined;
  const number = Number(exact);
  return Number.isSafeInteger(number) ? number : exact;
}

/** Java's trim: everything up to the space character goes, no-break spaces stay. */
export function trimJava(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text.charCodeAt(start) <= 32) start += 1;
  while (end > start && text.charCodeAt(end - 1) <= 32) end -= 1;
  return text.slice(start, end);
}
