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
  trimJava,
} from "../config/parse.ts";
import {
  loneNegation,
  paddedType,
  type StageKind,
  type StageLookup,
  stageInterfaces,
  withStepKeys,
} from "../config/stage-keys.ts";
import { javaClassOfError } from "../record/java-error.ts";
import { noPluginStages, type PluginStages } from "./plugin-stage.ts";
import { lookUpPredicate, lookUpTransform } from "./stage-lookup.ts";
import type { Step } from "./step.ts";
import { type Predicate, type StageFactory, StageSettings, type Transform } from "./transform.ts";

/**
 * The steps that a connector's config asks for, in order.
 * @throws ConfigError with the first thing that Connect would complain of, under Java's class for it
 */
export function createSteps(
  config: SubmittedConfig,
  plugins: PluginStages = noPluginStages,
): readonly Step[] {
  const aliases = aliasesIn(config, "transforms");
  const predicateAliases = aliasesIn(config, "predicates");
  // All classes are found before any setting is looked at.
  const factories = aliases.map((alias) =>
    factoryOf(config, "transforms", alias, (name) => lookUpTransform(name, plugins)),
  );
  const predicateFactories = predicateAliases.map((alias) =>
    factoryOf(config, "predicates", alias, (name) => lookUpPredicate(name, plugins)),
  );
  checkNegations(config, aliases);
  const settings = aliases.map((alias, at) =>
    readSettings(config, `transforms.${alias}.`, withStepKeys(keysOf(factories, at))),
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
    const { className, touches } = factory;
    const step = { alias, className, transform, touches };
    if (wanted === null) return { ...step, predicate: null, negate: false };
    const which = predicateAliases.indexOf(wanted);
    if (which < 0) throw unknownPredicate(wanted);
    const found = predicateFactories[which] as StageFactory<Predicate>;
    const predicate = configured(() => found.create(predicateSettings[which] as StageSettings));
    const both = [...touches, ...found.touches];
    return { ...step, predicate, negate: own.flag("negate"), touches: both };
  });
}

function aliasesIn(config: SubmittedConfig, key: StageKind): readonly string[] {
  const parsed = parseValue({ name: key, type: "LIST" }, config[key] ?? "");
  const aliases = parsed.at === "value" ? (parsed.value as readonly string[]) : [];
  if (new Set(aliases).size < aliases.length) {
    throw refused(invalidValue(key, aliases, "Duplicate alias provided."));
  }
  return aliases;
}

function factoryOf<T>(
  config: SubmittedConfig,
  kind: StageKind,
  alias: string,
  lookUp: (name: string) => StageLookup<StageFactory<T>>,
): StageFactory<T> {
  const key = `${kind}.${alias}.type`;
  const text = config[key] ?? null;
  if (text === null) throw refused(invalidValue(key, null, `Not a ${stageInterfaces[kind]}`));
  const name = trimJava(text);
  const found = lookUp(name);
  if (found.at === "unfit") throw refused(found.message);
  if (found.at === "missing") {
    throw refused(invalidValue(key, text, `Class ${text} could not be found.`));
  }
  if (name !== text) throw refused(paddedType(kind, key, text));
  return found.stage;
}

/** As Connect does, once all classes are found. */
function checkNegations(config: SubmittedConfig, aliases: readonly string[]): void {
  for (const alias of aliases) {
    const lone = loneNegation(config, alias);
    if (lone !== undefined) throw refused(lone);
  }
}

function keysOf<T>(factories: readonly StageFactory<T>[], at: number): readonly CheckedKey[] {
  return factories[at]?.keys ?? [];
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
  return new StageSettings(checked, submittedUnder(config, prefix));
}

/** Without what the chain itself reads. */
function submittedUnder(config: SubmittedConfig, prefix: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [key, value] of Object.entries(config)) {
    const name = key.startsWith(prefix) ? key.slice(prefix.length) : "";
    if (name !== "" && value !== null && !ownKeys.has(name)) found[name] = value;
  }
  return found;
}

const ownKeys = new Set(["type", "predicate", "negate", "plugin.version"]);

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
