/**
 * The keys that a connector has for its transforms and predicates: `transforms.<alias>.type` and what
 * the class behind it declares.
 *
 * @see reference: Kafka Connect's ConnectorConfig (how a connector's definition is enriched), ConfigDef
 * (how one definition is embedded in another).
 */
import type { ConfigKey } from "./config-def.ts";
import { keyWith, requiredKey } from "./connector-keys.ts";
import {
  brokenBy,
  type CheckedKey,
  type ClassLookup,
  invalidValue,
  type ParsedValue,
  parseValue,
  type SubmittedConfig,
  trimJava,
} from "./parse.ts";
import { meetsWish, noSuchVersion, parseVersionWish } from "./version-range.ts";

/** The key that lists the aliases, which is also the first word of their keys. */
export type StageKind = "transforms" | "predicates";

/** What a config may say about a class of transforms or predicates. */
export interface StageClass {
  readonly className: string;
  /** Without prefix. */
  readonly keys: readonly CheckedKey[];
}

/** What the text under a `type` stands for. */
export type StageLookup<C extends StageClass = StageClass> =
  | { readonly at: "found"; readonly stage: C }
  /** A class that is there and cannot stand in this place; the message is Connect's whole sentence. */
  | { readonly at: "unfit"; readonly className: string; readonly message: string }
  | { readonly at: "missing" };

/** The classes there are. Handed in, since they stand above this folder. */
export interface StageClasses {
  /** Full class names, sorted. */
  readonly names: (kind: StageKind) => readonly string[];
  readonly find: (kind: StageKind, name: string) => StageLookup;
}

/** What Connect calls the two kinds in its texts. */
export const stageInterfaces: Readonly<Record<StageKind, string>> = {
  transforms: "Transformation",
  predicates: "Predicate",
};

/** The keys of all aliases in one config, for `checkKeys`. */
export interface StageKeys {
  readonly keys: readonly CheckedKey[];
  /** Undefined for a key that is not the `type` of an alias. */
  readonly findClass: (key: string) => ClassLookup | undefined;
  /** By key. */
  readonly recommended: ReadonlyMap<string, readonly string[]>;
}

/** The keys of the aliases that a config lists, with their rules; `version` is that of every class. */
export function stageKeys(
  config: SubmittedConfig,
  classes: StageClasses,
  version: string,
): StageKeys {
  const stages = (["transforms", "predicates"] as const).flatMap((kind) =>
    aliasesIn(config, kind).map((alias) => readStage({ config, kind, alias, classes, version })),
  );
  const lookups = new Map(stages.map(({ typeKey, lookup }) => [typeKey, lookup]));
  return {
    keys: stages.flatMap(({ keys }) => keys),
    findClass: (key) => lookups.get(key),
    recommended: new Map(stages.flatMap(({ recommended }) => recommended)),
  };
}

/** What a config without aliases has. */
export const noStageKeys: StageKeys = {
  keys: [],
  findClass: () => undefined,
  recommended: new Map(),
};

/** Whether a config lists transforms or predicates at all. */
export function listsStages(config: SubmittedConfig): boolean {
  return aliasesIn(config, "transforms").length + aliasesIn(config, "predicates").length > 0;
}

/** The keys that every transform has beside those of its class, which they hide. */
export function withStepKeys(keys: readonly CheckedKey[]): readonly CheckedKey[] {
  const hidden = stepKeys.map(({ name }) => name);
  return [...stepKeys, ...keys.filter(({ name }) => !hidden.includes(name))];
}

/** Why a `negate` has nothing to negate, in Connect's words; undefined where all is well. */
export function loneNegation(config: SubmittedConfig, alias: string): string | undefined {
  const [negate, predicate] = [`transforms.${alias}.negate`, `transforms.${alias}.predicate`];
  if (!Object.hasOwn(config, negate) || Object.hasOwn(config, predicate)) return undefined;
  return `Config '${negate}' was provided but there is no config '${predicate}' defining a predicate to be negated.`;
}

/** Connect looks for a class by the text as it is, though it has trimmed it before. */
export function paddedType(kind: StageKind, key: string, text: string): string {
  const wanted = stageInterfaces[kind];
  return invalidValue(key, text, `Error getting config definition from ${wanted}: ${text}`);
}

const stepKeys: readonly CheckedKey[] = [
  keyWith(null, {
    name: "predicate",
    type: "STRING",
    importance: "MEDIUM",
    group: null,
    order: -1,
    width: "NONE",
    displayName: "predicate",
    documentation: "The alias of the predicate that says for which records this transform is.",
  }),
  keyWith("false", {
    name: "negate",
    type: "BOOLEAN",
    importance: "MEDIUM",
    group: null,
    order: -1,
    width: "NONE",
    displayName: "negate",
    documentation: "Whether the transform is for the records that the predicate does not hold for.",
  }),
];

interface Alias {
  readonly config: SubmittedConfig;
  readonly kind: StageKind;
  readonly alias: string;
  readonly classes: StageClasses;
  readonly version: string;
}

interface Stage {
  readonly typeKey: string;
  readonly lookup: ClassLookup;
  readonly keys: readonly CheckedKey[];
  readonly recommended: readonly (readonly [string, readonly string[]])[];
}

/** In their order, each once: that one is there twice is an error of the list. */
function aliasesIn(config: SubmittedConfig, kind: StageKind): readonly string[] {
  const parsed = parseValue({ name: kind, type: "LIST" }, config[kind] ?? null);
  const aliases = parsed.at === "value" && Array.isArray(parsed.value) ? parsed.value : [];
  return [...new Set<string>(aliases)];
}

function readStage(place: Alias): Stage {
  const { config, kind, alias, classes, version } = place;
  const prefix = `${kind}.${alias}.`;
  const typeKey = `${prefix}type`;
  const text = config[typeKey] ?? null;
  const found: StageLookup = text === null ? { at: "missing" } : classes.find(kind, trimJava(text));
  const isPadded = text !== null && found.at === "found" && text !== trimJava(text);
  const refusal =
    found.at === "unfit" ? found.message : isPadded ? paddedType(kind, typeKey, text) : null;
  const stage = found.at === "found" && !isPadded ? found.stage : undefined;
  const wish = parseVersionWish(config[`${prefix}plugin.version`]);
  return {
    typeKey,
    lookup: lookupOf(found),
    keys: [
      typeKeyOf(place, refusal),
      versionKeyOf(place, stage === undefined ? null : version),
      ...(stage !== undefined && meetsWish(version, wish) ? embedded(place, stage.keys) : []),
    ],
    recommended: [
      [typeKey, classes.names(kind)],
      [`${prefix}plugin.version`, stage === undefined ? [] : [version]],
    ],
  };
}

function lookupOf(found: StageLookup): ClassLookup {
  if (found.at === "missing") return { at: "wrong" };
  return {
    at: "found",
    className: found.at === "found" ? found.stage.className : found.className,
  };
}

/** The rule is asked for a missing type as well: a lone negation is told beside it. */
function typeKeyOf({ config, kind, alias }: Alias, refusal: string | null): CheckedKey {
  const word = stageInterfaces[kind];
  return requiredKey(
    {
      name: `${kind}.${alias}.type`,
      type: "CLASS",
      importance: "HIGH",
      group: groupOf(kind, alias),
      order: 0,
      width: "LONG",
      displayName: `${word} type for ${alias}`,
      documentation: `Class for the '${alias}' ${word.toLowerCase()}.`,
    },
    {
      check: () => {
        const lone = kind === "transforms" ? loneNegation(config, alias) : undefined;
        const sentence = lone ?? refusal;
        return sentence === null ? undefined : { sentence };
      },
    },
  );
}

/** `loaded` is the version of the class, null where there is none that could stand there. */
function versionKeyOf({ config, kind, alias }: Alias, loaded: string | null): CheckedKey {
  const word = stageInterfaces[kind];
  return keyWith(
    loaded,
    {
      name: `${kind}.${alias}.plugin.version`,
      type: "STRING",
      importance: "HIGH",
      group: groupOf(kind, alias),
      order: 1,
      width: "LONG",
      displayName: `${word} version for ${alias}`,
      documentation: `Version of the '${alias}' ${word.toLowerCase()}: 'latest', one version, or a range such as [1.0,2.0).`,
    },
    {
      check: (value: ParsedValue) => {
        const wish = parseVersionWish(value === null ? null : String(value));
        if (wish.at === "malformed") return { sentence: wish.reason };
        if (loaded === null || meetsWish(loaded, wish)) return undefined;
        const name = config[`${kind}.${alias}.type`] ?? "";
        return { sentence: noSuchVersion(name, wish, [{ version: loaded }]) };
      },
    },
  );
}

function groupOf(kind: StageKind, alias: string): string {
  return `${kind === "transforms" ? "Transforms" : "Predicates"}: ${alias}`;
}

/** The keys of a class under their prefix; rules go on to name them without it. */
function embedded({ kind, alias }: Alias, keys: readonly CheckedKey[]): readonly CheckedKey[] {
  const prefix = `${kind}.${alias}.`;
  const group = groupOf(kind, alias);
  const all = inOrder(kind === "transforms" ? withStepKeys(keys) : keys);
  return all.map((key, index) => ({
    ...key,
    name: prefix + key.name,
    group: key.group === null ? group : `${group}: ${key.group}`,
    order: index + 2,
    dependents: key.dependents.map((name) => prefix + name),
    validator: null,
    check: (value: ParsedValue) => {
      const sentence = brokenBy(key, value, key.name);
      return sentence === undefined ? undefined : { sentence };
    },
  }));
}

const importances: readonly ConfigKey["importance"][] = ["HIGH", "MEDIUM", "LOW"];

/** By group as they come, then order, required first, importance, name. */
function inOrder(keys: readonly CheckedKey[]): readonly CheckedKey[] {
  const groups = [...new Set(keys.map(({ group }) => group))].filter((group) => group !== null);
  const rank = ({ group }: CheckedKey) => (group === null ? -1 : groups.indexOf(group));
  return [...keys].sort(
    (a, b) =>
      rank(a) - rank(b) ||
      a.order - b.order ||
      Number(b.required) - Number(a.required) ||
      importances.indexOf(a.importance) - importances.indexOf(b.importance) ||
      (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
}
