import type { Secret } from "./secret.ts";

export type ConfigType =
  | "BOOLEAN"
  | "STRING"
  | "INT"
  | "SHORT"
  | "LONG"
  | "DOUBLE"
  | "LIST"
  | "CLASS"
  | "PASSWORD";

/** What the host can check without starting the plugin. Messages are Kafka Connect's. */
export type ConfigValidator =
  | { at: "range"; min?: number; max?: number }
  | { at: "one-of"; values: readonly string[]; caseInsensitive?: boolean }
  | { at: "non-empty" }
  | { at: "pattern"; regex: string };

/** One declared key; `T` is what the plugin's code gets. Made by `config`. */
export interface ConfigKey<T = unknown> {
  readonly type: ConfigType;
  readonly required: boolean;
  /** Text as in a config file; null = no default. */
  readonly defaultText: string | null;
  readonly importance: "HIGH" | "MEDIUM" | "LOW";
  readonly doc: string;
  readonly group: string | null;
  readonly order: number;
  readonly width: "NONE" | "SHORT" | "MEDIUM" | "LONG";
  readonly displayName: string | undefined;
  readonly dependents: readonly string[];
  readonly validator: ConfigValidator | undefined;
  /** Carries `T`; never set. */
  readonly of?: T;
}

export type ConfigKeys = Readonly<Record<string, ConfigKey>>;

/** The typed config that follows from the declared keys. */
export type ConfigOf<Keys extends ConfigKeys> = {
  readonly [Name in keyof Keys]: Keys[Name] extends ConfigKey<infer T> ? T : never;
};

interface CommonOptions {
  doc?: string;
  /** HIGH unless said. */
  importance?: "high" | "medium" | "low";
  group?: string;
  order?: number;
  width?: "short" | "medium" | "long";
  displayName?: string;
  dependents?: readonly string[];
}

/** A required key has a value, one with a default too; any other may be undefined. */
type Value<T, O> = O extends { required: true } ? T : O extends { default: T } ? T : T | undefined;

interface Options<T> extends CommonOptions {
  required?: boolean;
  default?: T;
}

interface NumberOptions extends Options<number> {
  min?: number;
  max?: number;
}

interface StringOptions extends Options<string> {
  nonEmpty?: boolean;
  pattern?: RegExp;
}

function key<T, O extends Options<unknown>>(
  type: ConfigType,
  options: O,
  validator?: ConfigValidator,
): ConfigKey<Value<T, O>> {
  const given = options.default;
  return {
    type,
    required: options.required === true,
    defaultText:
      given === undefined || given === null
        ? null
        : Array.isArray(given)
          ? given.join(",")
          : String(given),
    importance: upper(options.importance ?? "high"),
    doc: options.doc ?? "",
    group: options.group ?? null,
    order: options.order ?? -1,
    width: options.width === undefined ? "NONE" : upper(options.width),
    displayName: options.displayName,
    dependents: options.dependents ?? [],
    validator,
  };
}

function upper<T extends string>(text: T): Uppercase<T> {
  return text.toUpperCase() as Uppercase<T>;
}

function range(options: { min?: number; max?: number }): ConfigValidator | undefined {
  const { min, max } = options;
  if (min === undefined && max === undefined) return undefined;
  return {
    at: "range",
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
  };
}

function text(options: StringOptions): ConfigValidator | undefined {
  if (options.pattern !== undefined) return { at: "pattern", regex: options.pattern.source };
  return options.nonEmpty ? { at: "non-empty" } : undefined;
}

/** Declares config keys: `config.int({ default: 10, min: 1, doc: "how many at once" })`. */
export const config = {
  string: <const O extends StringOptions>(options: O = {} as O) =>
    key<string, O>("STRING", options, text(options)),
  /** One of these strings. */
  oneOf: <const V extends string, const O extends Options<V> & { caseInsensitive?: boolean }>(
    values: readonly V[],
    options: O = {} as O,
  ) =>
    key<V, O>("STRING", options, {
      at: "one-of",
      values,
      ...(options.caseInsensitive ? { caseInsensitive: true } : {}),
    }),
  boolean: <const O extends Options<boolean>>(options: O = {} as O) =>
    key<boolean, O>("BOOLEAN", options),
  short: <const O extends NumberOptions>(options: O = {} as O) =>
    key<number, O>("SHORT", options, range(options)),
  int: <const O extends NumberOptions>(options: O = {} as O) =>
    key<number, O>("INT", options, range(options)),
  /** As a number: beyond 2^53 it is rounded. */
  long: <const O extends NumberOptions>(options: O = {} as O) =>
    key<number, O>("LONG", options, range(options)),
  double: <const O extends NumberOptions>(options: O = {} as O) =>
    key<number, O>("DOUBLE", options, range(options)),
  /** Comma-separated. */
  list: <const O extends Options<readonly string[]>>(options: O = {} as O) =>
    key<readonly string[], O>("LIST", options),
  class: <const O extends Options<string>>(options: O = {} as O) =>
    key<string, O>("CLASS", options),
  /** Prints as stars; `reveal()` gives the text. */
  password: <const O extends CommonOptions & { required?: boolean }>(options: O = {} as O) =>
    key<Secret, O>("PASSWORD", options),
};
