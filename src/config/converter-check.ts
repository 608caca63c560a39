/** The part of a connector's validation that concerns its converters. */
import { type ConverterPart, convertersFor, findConverter } from "./converter-keys.ts";
import type { SubmittedConfig } from "./parse.ts";
import { type CheckedKey, type CheckedValue, checkKeys, valueText } from "./parse.ts";
import type { ConfigValueInfo } from "./validation.ts";
import { meetsWish, parseVersionWish } from "./version-range.ts";

/** The worker's converters, which hold where a connector names none. */
export interface WorkerConverters {
  /** Full class names. */
  readonly keyConverter: string;
  readonly valueConverter: string;
  readonly headerConverter: string;
  /** What the host's own converters say is their version. */
  readonly converterVersion: string;
}

/** As Connect lists them in its answer. */
const listOrder: readonly ConverterPart[] = ["header", "key", "value"];

/** The defaults of the class and version keys of all three converters. */
export function converterDefaults(
  config: SubmittedConfig,
  worker: WorkerConverters,
): [string, string][] {
  const classes = {
    key: worker.keyConverter,
    value: worker.valueConverter,
    header: worker.headerConverter,
  };
  return listOrder.flatMap((part): [string, string][] => {
    const given = config[`${part}.converter`];
    const known = typeof given !== "string" || findConverter(given.trim()) !== undefined;
    return [
      [`${part}.converter`, classes[part]],
      ...(known
        ? [[`${part}.converter.plugin.version`, worker.converterVersion] as [string, string]]
        : []),
    ];
  });
}

/** The classes to recommend for `key.converter` and its like. */
export function recommendedConverters(key: string): readonly string[] {
  return convertersFor(key.slice(0, key.indexOf(".")) as ConverterPart);
}

/** Adds to the version keys; Connect looks at them only beside a class of the connector's own. */
export function checkConverterVersions(
  checked: Map<string, CheckedValue>,
  config: SubmittedConfig,
  version: string,
): void {
  for (const part of listOrder) {
    const name = `${part}.converter.plugin.version`;
    if (typeof config[`${part}.converter`] !== "string") continue;
    const wish = parseVersionWish(config[name]);
    if (meetsWish(version, wish)) continue;
    const range = wish.at === "range" ? wish.text : String(config[name]);
    checked
      .get(name)
      ?.errors.push(
        `Plugin ${config[`${part}.converter`]} not found that matches the version range ${range}, available versions: [${version}]`,
      );
  }
}

/**
 * The settings of converters that the connector itself names, listed with their prefix. Sub-keys
 * that the converter does not know are not reported, as in Connect.
 */
export function checkConverters(
  config: SubmittedConfig,
  checked: Map<string, CheckedValue>,
): { key: CheckedKey; value: ConfigValueInfo }[] {
  return listOrder.flatMap((part) => {
    const classKey = `${part}.converter`;
    const chosen = checked.get(classKey);
    if (typeof config[classKey] !== "string" || !chosen || chosen.errors.length > 0) return [];
    const converter = findConverter(String(chosen.value));
    if (!converter) return [];
    return checkOne(`${classKey}.`, part, converter.keys, config);
  });
}

function checkOne(
  prefix: string,
  part: ConverterPart,
  keys: readonly CheckedKey[],
  config: SubmittedConfig,
): { key: CheckedKey; value: ConfigValueInfo }[] {
  const own: Record<string, string | null> = { "converter.type": part };
  for (const [name, value] of Object.entries(config)) {
    if (name.startsWith(prefix)) own[name.slice(prefix.length)] = value;
  }
  return [...checkKeys(keys, own).values()].map(({ key, value, errors }) => {
    const name = prefix + key.name;
    return {
      key: { ...key, name },
      value: {
        name,
        value: valueText(value, key.type),
        recommended_values: [],
        errors,
        visible: true,
      },
    };
  });
}
