/**
 * plugin.json: what a plugin offers, also as it is kept of a plugin that described itself. Every
 * problem is found at once, each with its place.
 */
import type { ConfigKey, ConfigType, Importance, Validator, Width } from "../config/config-def.ts";
import type { PluginClass, PluginKind, PluginManifest } from "./plugin.ts";

export type ParsedManifest =
  | { at: "good"; manifest: PluginManifest }
  | { at: "broken"; problems: readonly string[] };

const kinds: readonly PluginKind[] = [
  "source",
  "sink",
  "transformation",
  "predicate",
  "converter",
  "header_converter",
];
const configTypes: readonly ConfigType[] = [
  "BOOLEAN",
  "STRING",
  "INT",
  "SHORT",
  "LONG",
  "DOUBLE",
  "LIST",
  "CLASS",
  "PASSWORD",
];
const importances: readonly Importance[] = ["HIGH", "MEDIUM", "LOW"];
const widths: readonly Width[] = ["NONE", "SHORT", "MEDIUM", "LONG"];

/** `directory` is the folder that holds the file; a `program` is run whatever the text says. */
export function parseManifest(text: string, directory: string, program?: string): ParsedManifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { at: "broken", problems: [`it is not JSON: ${(error as Error).message}`] };
  }
  const problems: string[] = [];
  const root = new Fields(json, "", problems);
  const name = root.text("name");
  const version = root.text("version");
  const command = program === undefined ? root.texts("command") : [program];
  if (command?.length === 0) problems.push("command is empty: it must name a program");
  const manifest = {
    name: name ?? "",
    version: version ?? "",
    directory,
    command: command ?? [],
    ...(program !== undefined && { program }),
    classes: [] as PluginClass[],
  };
  for (const fields of root.list("classes")) {
    manifest.classes.push(parseClass(fields, manifest));
  }
  if (manifest.classes.length === 0 && problems.length === 0) problems.push("classes is empty");
  const names = manifest.classes.map(({ className }) => className);
  for (const twice of new Set(names.filter((one, index) => names.indexOf(one) !== index))) {
    problems.push(`class ${twice} is listed twice`);
  }
  return problems.length === 0 ? { at: "good", manifest } : { at: "broken", problems };
}

/** The text that parseManifest reads as this manifest. */
export function manifestText({ name, version, command, classes }: PluginManifest): string {
  return JSON.stringify({ name, version, command, classes: classes.map(classJson) });
}

function classJson({ className, plugin: _, taskClass, version, config, ...rest }: PluginClass) {
  return {
    class: className,
    ...rest,
    ...(version !== "" && { version }),
    ...(taskClass !== "" && { taskClass }),
    config: config.map(keyJson),
  };
}

/** A required key has no default member, and so no default. */
function keyJson({ required, defaultValue, validator, ...rest }: ConfigKey) {
  return {
    ...rest,
    ...(required ? { required } : { default: defaultValue }),
    ...(validator !== null && { validator }),
  };
}

function parseClass(fields: Fields, plugin: PluginManifest): PluginClass {
  const className = fields.text("class") ?? "";
  const config = fields.has("config") ? fields.list("config").map(parseKey) : [];
  return {
    className,
    kind: fields.oneOf("kind", kinds) ?? "source",
    version: fields.has("version") ? (fields.text("version") ?? "") : plugin.version,
    config,
    taskClass: fields.has("taskClass") ? (fields.text("taskClass") ?? "") : className,
    aliases: fields.has("aliases") ? (fields.texts("aliases") ?? []) : [],
    documentationUrl: fields.optionalText("documentationUrl") ?? "",
    validates: fields.flag("validates"),
    plugin,
  };
}

function parseKey(fields: Fields): ConfigKey {
  const name = fields.text("name") ?? "";
  // Without a default member the key must be given; `"default": null` is a default of null.
  const required = fields.flag("required") || !fields.has("default");
  return {
    name,
    type: fields.oneOf("type", configTypes) ?? "STRING",
    required,
    defaultValue: required ? null : (fields.optionalText("default") ?? null),
    importance: fields.oneOf("importance", importances) ?? "HIGH",
    documentation: fields.optionalText("documentation") ?? "",
    group: fields.optionalText("group") ?? null,
    order: fields.has("order") ? (fields.number("order") ?? -1) : -1,
    width: fields.has("width") ? (fields.oneOf("width", widths) ?? "NONE") : "NONE",
    displayName: fields.optionalText("displayName") ?? name,
    dependents: fields.has("dependents") ? (fields.texts("dependents") ?? []) : [],
    validator: fields.has("validator") ? parseValidator(fields.inner("validator")) : null,
  };
}

function parseValidator(fields: Fields): Validator | null {
  const at = fields.oneOf("at", ["range", "one-of", "non-empty", "pattern"] as const);
  switch (at) {
    case "range": {
      const min = fields.has("min") ? fields.number("min") : undefined;
      const max = fields.has("max") ? fields.number("max") : undefined;
      return { at, ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
    }
    case "one-of": {
      const caseInsensitive = fields.flag("caseInsensitive");
      const values = fields.texts("values") ?? [];
      return caseInsensitive ? { at, values, caseInsensitive } : { at, values };
    }
    case "pattern":
      return { at, regex: fields.regex("regex") ?? "" };
    case "non-empty":
      return { at };
    case undefined:
      return null;
  }
}

/** Reads the members of one JSON object and notes what is wrong with them. */
class Fields {
  readonly #members: Record<string, unknown>;
  readonly #place: string;
  readonly #problems: string[];

  constructor(json: unknown, place: string, problems: string[]) {
    this.#place = place;
    this.#problems = problems;
    const isObject = typeof json === "object" && json !== null && !Array.isArray(json);
    if (!isObject) problems.push(`${place === "" ? "it" : place} is not a JSON object`);
    this.#members = isObject ? (json as Record<string, unknown>) : {};
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#members, name);
  }

  /** A text that says something. */
  text(name: string): string | undefined {
    const value = this.#members[name];
    if (typeof value === "string" && value.trim() !== "") return value;
    return this.#wrong(name, "a text");
  }

  /** Null and an absent member are the same. */
  optionalText(name: string): string | undefined {
    const value = this.#members[name];
    if (value === undefined || value === null) return undefined;
    return typeof value === "string" ? value : this.#wrong(name, "a text or null");
  }

  texts(name: string): string[] | undefined {
    const value = this.#members[name];
    if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value;
    return this.#wrong(name, "a list of texts");
  }

  number(name: string): number | undefined {
    const value = this.#members[name];
    return typeof value === "number" ? value : this.#wrong(name, "a number");
  }

  flag(name: string): boolean {
    const value = this.#members[name] ?? false;
    return typeof value === "boolean" ? value : (this.#wrong(name, "true or false") ?? false);
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T | undefined {
    const value = this.#members[name];
    if (values.includes(value as T)) return value as T;
    return this.#wrong(name, `one of ${values.join(", ")}`);
  }

  regex(name: string): string | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    try {
      new RegExp(value);
      return value;
    } catch {
      return this.#wrong(name, "a regular expression");
    }
  }

  inner(name: string): Fields {
    return new Fields(this.#members[name], this.#at(name), this.#problems);
  }

  list(name: string): Fields[] {
    const value = this.#members[name];
    if (!Array.isArray(value)) {
      this.#wrong(name, "a list");
      return [];
    }
    return value.map(
      (one, index) => new Fields(one, `${this.#at(name)}[${index}]`, this.#problems),
    );
  }

  #at(name: string): string {
    return this.#place === "" ? name : `${this.#place}.${name}`;
  }

  #wrong(name: string, expected: string): undefined {
    const found = this.has(name) ? "is not" : "is missing: it must be";
    this.#problems.push(`${this.#at(name)} ${found} ${expected}`);
  }
}
