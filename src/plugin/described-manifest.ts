/** What a plugin says it is, as plugin.json would say it: one reader checks both. Pure. */
import {
  type ClassDescription,
  type ConfigKey,
  ConfigType,
  Importance,
  PluginKind,
  type Validator,
  Width,
} from "./gen/bulkhead/plugin/v1/config_pb.ts";
import type { PluginInfo } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import { parseManifest } from "./manifest.ts";
import type { PluginManifest } from "./plugin.ts";
import { protocolError } from "./protocol-error.ts";

/**
 * The manifest of a program that described itself; folder and command stay as they were.
 * @throws TaskError `plugin.protocol_error` with everything that a plugin.json could not say either
 */
export function describedManifest(
  plugin: PluginManifest,
  info: PluginInfo,
  classes: readonly ClassDescription[],
): PluginManifest {
  const text = JSON.stringify({
    name: info.name || plugin.name,
    version: info.version || plugin.version || classes[0]?.version,
    command: plugin.command,
    classes: classes.map(classJson),
  });
  const parsed = parseManifest(text, plugin.directory, plugin.program);
  if (parsed.at === "good") return parsed.manifest;
  const problems = parsed.problems.join("; ");
  throw protocolError(`plugin ${plugin.name} described itself wrongly: ${problems}`);
}

function classJson(one: ClassDescription): Record<string, unknown> {
  return {
    class: one.className,
    kind: wordOf(PluginKind, one.kind)?.toLowerCase(),
    ...(one.version === "" ? {} : { version: one.version }),
    ...(one.taskClass === "" ? {} : { taskClass: one.taskClass }),
    aliases: one.aliases,
    documentationUrl: one.documentationUrl,
    validates: one.validates,
    config: one.config.map(keyJson),
  };
}

function keyJson(key: ConfigKey): Record<string, unknown> {
  return {
    name: key.name,
    type: wordOf(ConfigType, key.type),
    ...(key.required ? { required: true } : { default: key.defaultValue ?? null }),
    // What a plugin leaves out is what a manifest may leave out.
    ...(key.importance === Importance.UNSPECIFIED
      ? {}
      : { importance: wordOf(Importance, key.importance) }),
    documentation: key.documentation,
    group: key.group ?? null,
    order: key.order,
    ...(key.width === Width.UNSPECIFIED ? {} : { width: wordOf(Width, key.width) }),
    displayName: key.displayName || key.name,
    dependents: key.dependents,
    ...(key.validator?.kind.case === undefined ? {} : { validator: validatorJson(key.validator) }),
  };
}

/** Undefined for a number of a newer contract. */
function wordOf(words: Readonly<Record<string, number>>, value: number): string | undefined {
  return Object.keys(words).find((word) => words[word] === value);
}

function validatorJson({ kind }: Validator): Record<string, unknown> {
  switch (kind.case) {
    case "range":
      return { at: "range", min: kind.value.min, max: kind.value.max };
    case "oneOf":
      return {
        at: "one-of",
        values: kind.value.values,
        caseInsensitive: kind.value.caseInsensitive,
      };
    case "pattern":
      return { at: "pattern", regex: kind.value.regex };
    default:
      return { at: "non-empty" };
  }
}
