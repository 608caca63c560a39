import { readFileSync, realpathSync } from "node:fs";
import { dirname, join, parse, relative, resolve } from "node:path";
import type { ConfigKey } from "./config.ts";
import { taskClassOf } from "./describe.ts";
import type { Plugin, PluginClass } from "./plugin.ts";

/** The text of plugin.json for this plugin: what the host reads without starting it. */
export function manifestText(plugin: Plugin, command: readonly string[]): string {
  const { name, version } = plugin;
  const classes = plugin.classes.map((one) => manifestClass(plugin, one));
  return `${JSON.stringify({ name, version, command, classes }, undefined, 2)}\n`;
}

function manifestClass(plugin: Plugin, { kind, definition }: PluginClass) {
  const { version = plugin.version, aliases = [], documentationUrl = "" } = definition;
  return {
    class: definition.class,
    kind,
    ...(version === plugin.version ? {} : { version }),
    ...(kind === "source" || kind === "sink" ? { taskClass: taskClassOf(definition) } : {}),
    ...(aliases.length === 0 ? {} : { aliases }),
    ...(documentationUrl === "" ? {} : { documentationUrl }),
    ...(definition.validate === undefined ? {} : { validates: true }),
    config: Object.entries(definition.config ?? {}).map(([name, key]) => manifestKey(name, key)),
  };
}

function manifestKey(name: string, key: ConfigKey) {
  return {
    name,
    type: key.type,
    ...(key.required ? { required: true } : { default: key.defaultText }),
    importance: key.importance,
    documentation: key.doc,
    ...(key.group === null ? {} : { group: key.group }),
    ...(key.order === -1 ? {} : { order: key.order }),
    ...(key.width === "NONE" ? {} : { width: key.width }),
    ...(key.displayName === undefined ? {} : { displayName: key.displayName }),
    ...(key.dependents.length === 0 ? {} : { dependents: key.dependents }),
    ...(key.validator === undefined ? {} : { validator: key.validator }),
  };
}

/** The program that runs: its package's name and version, and how the host starts it. */
export interface Program {
  readonly name: string;
  readonly version: string;
  readonly command: readonly string[];
}

/**
 * Looks for package.json from the main script upwards, behind the link that the script may have been
 * started by; a script without one is named after its file.
 */
export function findProgram(script: string): Program {
  const path = behindLinks(resolve(script));
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const command = ["node", relative(folder, path)];
    const found = readPackage(join(folder, "package.json"));
    if (found !== undefined) return { ...found, command };
    if (dirname(folder) === folder) {
      return { name: parse(path).name, version: "0.0.0", command: ["node", path] };
    }
  }
}

function behindLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function readPackage(path: string): { name: string; version: string } | undefined {
  try {
    const { name, version } = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
    return {
      // `@acme/plugin-files` is the plugin `files`.
      name: String(name ?? "plugin")
        .replace(/^@[^/]*\//, "")
        .replace(/^plugin-/, ""),
      version: String(version ?? "0.0.0"),
    };
  } catch {
    return undefined;
  }
}
