/** From a folder or a command, and setup files, to what is checked. */
import { ConfigError } from "../base/error.ts";
import type { ClassSetup, ManifestClass, ManifestKey, SubjectManifest } from "./conformance.ts";

type Members = Readonly<Record<string, unknown>>;

const emptySetup: ClassSetup = { config: {}, files: {}, situations: {} };

/** A class that no setup names. */
export const noSetup = emptySetup;

/** What the kit needs of plugin.json, with the command it names. @throws ConfigError */
export function parseSubjectManifest(
  text: string,
  path: string,
): { manifest: SubjectManifest; command: readonly string[] } {
  const root = parseObject(text, path);
  const command = root["command"];
  if (!isTexts(command) || command.length === 0) {
    throw wrong(path, "command is not a list of texts that begins with a program");
  }
  const classes = Array.isArray(root["classes"]) ? root["classes"] : [];
  if (classes.length === 0) throw wrong(path, "classes is not a list of classes");
  return {
    command,
    manifest: {
      name: String(root["name"] ?? ""),
      version: String(root["version"] ?? ""),
      classes: classes.map((one) => manifestClass(one, path)),
    },
  };
}

function manifestClass(given: unknown, path: string): ManifestClass {
  if (!isObject(given) || typeof given["class"] !== "string") {
    throw wrong(path, "a class has no name");
  }
  const text = (name: string) => {
    const value = given[name];
    return typeof value === "string" ? value : undefined;
  };
  const config = Array.isArray(given["config"]) ? given["config"] : [];
  return {
    className: given["class"],
    kind: text("kind") ?? "",
    version: text("version"),
    taskClass: text("taskClass"),
    validates: given["validates"] === true,
    config: config.filter(isObject).map(manifestKey),
  };
}

function manifestKey(given: Members): ManifestKey {
  const required = given["required"] === true || !Object.hasOwn(given, "default");
  const defaultValue = given["default"];
  return {
    name: String(given["name"] ?? ""),
    type: String(given["type"] ?? "STRING"),
    required,
    defaultValue: required || typeof defaultValue !== "string" ? null : defaultValue,
  };
}

/**
 * Reads a setup file: class name to `{config, files, situations}`. A file's content is a text, or
 * `{begin, text, repeat, end}` for long ones, with the count from 1 for each `${n}` in `text`.
 * @throws ConfigError that names the place
 */
export function parseSetups(text: string, path: string): Map<string, ClassSetup> {
  const setups = new Map<string, ClassSetup>();
  for (const [className, given] of Object.entries(parseObject(text, path))) {
    const place = `${path}: ${className}`;
    const members = object(given, place);
    const situations: Record<string, ClassSetup> = {};
    for (const [name, one] of Object.entries(object(members["situations"] ?? {}, place))) {
      situations[name] = { ...oneSetup(object(one, `${place}.${name}`), place), situations: {} };
    }
    setups.set(className, { ...oneSetup(members, place), situations });
  }
  return setups;
}

function oneSetup(members: Members, place: string): Omit<ClassSetup, "situations"> {
  const config: Record<string, string> = {};
  for (const [key, value] of Object.entries(object(members["config"] ?? {}, place))) {
    config[key] = String(value);
  }
  const files: Record<string, string> = {};
  for (const [name, content] of Object.entries(object(members["files"] ?? {}, place))) {
    files[name] = contentOf(content, place);
  }
  return { config, files };
}

function contentOf(given: unknown, place: string): string {
  if (typeof given === "string") return given;
  const { begin = "", text, repeat, end = "" } = object(given, place);
  const areTexts = [begin, text, end].every((one) => typeof one === "string");
  if (!areTexts || !Number.isInteger(repeat) || Number(repeat) < 0) {
    throw wrong(
      place,
      'the content of a file is a text, or {"begin": a text, "text": …, "repeat": a number, "end": a text}',
    );
  }
  // So that what is repeated may differ: lines, ids.
  const parts = String(text).split(/\$\{n\}/);
  const repeated = Array.from({ length: Number(repeat) }, (_, n) => parts.join(String(n + 1)));
  return `${begin}${repeated.join("")}${end}`;
}

function parseObject(text: string, path: string): Members {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    // V8 quotes what it stumbled over, which may be a password: only the place is told.
    const place = / at position \d+/.exec((error as Error).message)?.[0] ?? "";
    throw wrong(path, `it is not JSON: check its quotes, commas and brackets${place}`);
  }
  return object(json, path);
}

function object(given: unknown, place: string): Members {
  if (isObject(given)) return given;
  throw wrong(place, "a JSON object is expected there");
}

function isObject(given: unknown): given is Members {
  return typeof given === "object" && given !== null && !Array.isArray(given);
}

function isTexts(given: unknown): given is string[] {
  return Array.isArray(given) && given.every((one) => typeof one === "string");
}

function wrong(path: string, reason: string): ConfigError {
  return new ConfigError("config.file_invalid", `cannot use ${path}: ${reason}`);
}
