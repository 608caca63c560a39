/**
 * The transforms of a connector in their order, each with its predicate.
 *
 * @see reference: Kafka Connect's ConnectorConfig (how the keys are read), TransformationChain.
 */
import { ConfigError } from "../base/error.ts";
import {
  brokenBy,
  type CheckedKey,
  type CheckedValue,
  invalidValue,
  parseValue,
  type SubmittedConfig,
} from "../config/parse.ts";
import { findConverter } from "../convert/converters.ts";
import type { ConnectRecord } from "../record/connect-record.ts";
import { javaClassOfError } from "../record/java-error.ts";
import { plainKey } from "./plain-key.ts";
import { findPredicate, findTransform, type Lookup } from "./stage-classes.ts";
import { type Predicate, type StageFactory, StageSettings, type Transform } from "./transform.ts";

/** One transform of a chain. */
export interface Step {
  readonly alias: string;
  /** The class that error reports name. */
  readonly className: string;
  readonly transform: Transform;
  readonly predicate: Predicate | null;
  readonly negate: boolean;
}

/** Applies one step if it is meant for the record; false drops the record. @throws RecordError */
export function applyStep({ predicate, negate, transform }: Step, record: ConnectRecord): boolean {
  if (predicate !== null && predicate.test(record) === negate) return true;
  return transform.apply(record);
}

/**
 * The steps that a connector's config asks for, in order.
 * @throws ConfigError with the first thing that Connect would complain of, under Java's class for it
 */
export function createSteps(config: SubmittedConfig): readonly Step[] {
  const aliases = aliasesIn(config, "transforms");
  const predicateAliases = aliasesIn(config, "predicates");
  // All classes are found before any setting is looked at.
  const factories = aliases.map((alias) => factoryOf(config, "transforms", alias, findTransform));
  const predicateFactories = predicateAliases.map((alias) =>
    factoryOf(config, "predicates", alias, findPredicate),
  );
  checkNegations(config, aliases);
  const settings = aliases.map((alias, at) =>
    readSettings(config, `transforms.${alias}.`, [...stepKeys, ...keysOf(factories, at)]),
  );
  const predicateSettings = predicateAliases.map((alias, at) =>
    readSettings(config, `predicates.${alias}.`, keysOf(predicateFactories, at)),
  );
  return aliases.map((alias, at): Step => {
    const own = settings[at] as StageSettings;
    const factory = factories[at] as StageFactory<Transform>;
    const transform = configured(() => factory.create(own));
    // Other than all texts it is not trimmed.
    const wanted = config[`transforms.${alias}.predicate`] ?? null;
    const { className } = factory;
    if (wanted === null) return { alias, className, transform, predicate: null, negate: false };
    const which = predicateAliases.indexOf(wanted);
    if (which < 0) throw unknownPredicate(wanted);
    const found = predicateFactories[which] as StageFactory<Predicate>;
    const predicate = configured(() => found.create(predicateSettings[which] as StageSettings));
    return { alias, className, transform, predicate, negate: own.flag("negate") };
  });
}

/** The keys that every step has beside those of its class, which they hide. */
const stepKeys: readonly CheckedKey[] = [
  plainKey(
    {
      name: "predicate",
      type: "STRING",
      importance: "MEDIUM",
      documentation: "The alias of the predicate that says for which records this transform is.",
    },
    null,
  ),
  plainKey(
    {
      name: "negate",
      type: "BOOLEAN",
      importance: "MEDIUM",
      documentation:
        "Whether the transform is for the records that the predicate does not hold for.",
    },
    "false",
  ),
];

function aliasesIn(config: SubmittedConfig, key: "transforms" | "predicates"): readonly string[] {
  const parsed = parseValue({ name: key, type: "LIST" }, config[key] ?? "");
  const aliases = parsed.at === "value" ? (parsed.value as readonly string[]) : [];
  if (new Set(aliases).size < aliases.length) {
    throw refused(invalidValue(key, aliases, "Duplicate alias provided."));
  }
  return aliases;
}

function factoryOf<T>(
  config: SubmittedConfig,
  kind: "transforms" | "predicates",
  alias: string,
  find: (name: string) => Lookup<T>,
): StageFactory<T> {
  const key = `${kind}.${alias}.type`;
  const text = config[key] ?? null;
  const wanted = kind === "transforms" ? "Transformation" : "Predicate";
  if (text === null) {
    throw refused(invalidValue(key, null, `Not a ${wanted}`));
  }
  const name = text.trim();
  const found = find(name);
  if (found.at === "found" && name !== text) {
    throw refused(
      invalidValue(key, text, `Error getting config definition from ${wanted}: ${text}`),
    );
  }
  if (found.at === "found") return found.factory;
  if (found.at === "wrong") throw refused(found.message);
  if (interfaces.includes(name)) throw refused("This class is abstract and cannot be created.");
  const other = otherClass(name);
  throw refused(
    other === undefined
      ? invalidValue(key, text, `Class ${text} could not be found.`)
      : `Class class ${other} does not implement the ${wanted} interface`,
  );
}

const interfaces = [
  "org.apache.kafka.connect.transforms.Transformation",
  "org.apache.kafka.connect.transforms.predicates.Predicate",
];

/** The full name of a class that is there, though it is not of the kind that is asked for. */
function otherClass(name: string): string | undefined {
  if (/^java\.lang\.(Object|String|Integer|Long|Boolean)$/.test(name)) return name;
  for (const found of [findTransform(name), findPredicate(name)]) {
    if (found.at === "found") return found.factory.className;
  }
  return findConverter(name)?.className;
}

/** As Connect does, once all classes are found. */
function checkNegations(config: SubmittedConfig, aliases: readonly string[]): void {
  for (const alias of aliases) {
    const [negate, predicate] = [`transforms.${alias}.negate`, `transforms.${alias}.predicate`];
    if (!Object.hasOwn(config, negate) || Object.hasOwn(config, predicate)) continue;
    throw refused(
      `Config '${negate}' was provided but there is no config '${predicate}' defining a predicate to be negated.`,
    );
  }
}

function keysOf<T>(factories: readonly StageFactory<T>[], at: number): readonly CheckedKey[] {
  const hidden = stepKeys.map((key) => key.name);
  return factories[at]?.keys.filter((key) => !hidden.includes(key.name)) ?? [];
}

/** Values that cannot be read are named in full, as are missing ones; rules name the bare key. */
function readSettings(
  config: SubmittedConfig,
  prefix: string,
  keys: readonly CheckedKey[],
): StageSettings {
  const checked = new Map<string, CheckedValue>();
  for (const key of keys) {
    const name = prefix + key.name;
    const given = Object.hasOwn(config, name);
    if (!given && key.required) {
      throw refused(`Missing required configuration "${name}" which has no default value.`);
    }
    const parsed = parseValue(
      { name, type: key.type },
      given ? (config[name] ?? null) : key.defaultValue,
    );
    if (parsed.at === "wrong") throw refused(parsed.message);
    const broken = brokenBy(key, parsed.value, key.name);
    if (broken !== undefined) throw refused(broken);
    checked.set(key.name, { key, value: parsed.value, errors: [] });
  }
  return new StageSettings(checked);
}

/** What `configure` throws arrives inside of a ConnectException, whose text is the other's. */
function configured<T>(create: () => T): T {
  try {
    return create();
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    throw wrapped(`${javaClassOfError(cause)}: ${cause.message}`, cause);
  }
}

function unknownPredicate(alias: string): ConfigError {
  const unknown = `org.apache.kafka.common.config.ConfigException: Unknown configuration 'predicates.${alias}.plugin.version'`;
  return wrapped(`${connectException}: ${unknown}`);
}

const connectException = "org.apache.kafka.connect.errors.ConnectException";

function wrapped(message: string, cause?: unknown): ConfigError {
  return new ConfigError("config.invalid", message, { javaClass: connectException, cause });
}

function refused(message: string): ConfigError {
  return new ConfigError("config.invalid", message);
}
