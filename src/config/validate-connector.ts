/**
 * What `PUT …/config/validate` answers and what every create and change of a connector is checked
 * with: Connect's pipeline over the common keys, the plugin's own and the converters', plus our
 * refusals. Static wherever it can be: only a plugin that says so is asked itself.
 */
import { ConfigError, RequestError } from "../base/error.ts";
import type { ConfigKey } from "./config-def.ts";
import { commonKeys, sinkKeys, sourceKeys } from "./connector-keys.ts";
import {
  checkConverters,
  checkConverterVersions,
  converterDefaults,
  recommendedConverters,
  type WorkerConverters,
} from "./converter-check.ts";
import { lookUpConverter } from "./converter-keys.ts";
import {
  type CheckedKey,
  type CheckedValue,
  checkKeys,
  type ParsedValue,
  parseValue,
  type SubmittedConfig,
  valueText,
} from "./parse.ts";
import { refusedKeys } from "./refusals.ts";
import { looksSecret } from "./secret.ts";
import { checkSinkTopics } from "./sink-topics.ts";
import { listsStages, noStageKeys, type StageClasses, stageKeys } from "./stage-keys.ts";
import type { ConfigInfos, ConfigKeyInfo, ConfigValueInfo } from "./validation.ts";
import {
  ascending,
  meetsWish,
  noSuchVersion,
  parseVersionWish,
  type VersionWish,
} from "./version-range.ts";

/** What must be known of a plugin's class; the catalogue's entries have more. */
export interface ConnectorClass {
  readonly className: string;
  readonly kind: string;
  readonly version: string;
  readonly config: readonly ConfigKey[];
  /** The plugin checks configs itself, beyond what `config` says. */
  readonly validates: boolean;
}

/** What a plugin's own validation says; keys it does not name keep the host's answer. */
export interface OwnAnswer {
  readonly values: readonly {
    readonly name: string;
    readonly value: string | null;
    readonly errors: readonly string[];
    readonly recommendedValues: readonly string[];
    readonly visible: boolean;
  }[];
}

export interface ValidationParts<C extends ConnectorClass> {
  /** By full name or alias, of sources and sinks, the newest first; empty when there is none. */
  readonly versions: (name: string) => readonly C[];
  /** The plugins there are, for the text about an unknown class (`pluginDescText`). */
  readonly available: () => string;
  readonly worker: WorkerConverters;
  /** The transforms and predicates; asked only where the config lists some. */
  readonly stages: () => Promise<StageClasses>;
  /** Asked only where the class says `validates`. */
  readonly validatePlugin?: (
    cls: C,
    config: Readonly<Record<string, string>>,
  ) => Promise<OwnAnswer>;
}

/** A key on its way into the answer. */
interface Entry {
  key: CheckedKey | null;
  value: ConfigValueInfo;
}

/**
 * Checks a whole connector config; wrong values are in the answer, not thrown.
 * @throws RequestError (400) where the class is missing or unknown, or its version malformed.
 */
export async function validateConnector<C extends ConnectorClass>(
  config: SubmittedConfig,
  parts: ValidationParts<C>,
): Promise<ConfigInfos> {
  const versions = findVersions(config, parts);
  const wish = versionWish(config);
  // Where none meets the wish, the rest is checked against the newest.
  const cls = versions.find((one) => meetsWish(one.version, wish)) ?? versions[0];
  const own = cls.config.filter((key) => key.name !== "name" && key.name !== "connector.class");
  const base = baseKeys(versions[0], config, parts.worker);
  const stages = listsStages(config)
    ? stageKeys(config, await parts.stages(), parts.worker.converterVersion)
    : noStageKeys;
  const checked = checkKeys([...base, ...stages.keys], config, {
    findClass: (key, name) => stages.findClass(key) ?? lookUpConverter(key, name),
  });
  checkVersion(checked, versions, config, wish);
  checkConverterVersions(checked, config, parts.worker.converterVersion);
  if (cls.kind === "sink") checkSinkTopics(checked);

  const entries = new Map<string, Entry>();
  for (const each of checked.values()) entries.set(each.key.name, entryOf(each));
  for (const each of checkKeys(own, config).values()) entries.set(each.key.name, entryOf(each));
  addNulls(entries, config, own);
  addRefusals(entries, config, checked);
  await addOwnAnswer(entries, cls, config, parts);
  addRecommendations(entries, [
    ["connector.plugin.version", ascending(versions)],
    ...recommendedForConverters(config, parts.worker),
    ...stages.recommended,
  ]);

  const converters = checkConverters(config, checked);
  const errorCount =
    [...entries.values()].reduce((sum, each) => sum + each.value.errors.length, 0) +
    converters.filter((each) => each.value.errors.length > 0).length;
  return assemble(config["connector.class"] ?? "", errorCount, [
    ...[...entries.values()].filter((each) => each.key === null),
    ...[...entries.values()].filter((each) => each.key !== null),
    ...converters,
  ]);
}

/** Connect's 400 text for a config with errors. */
function invalidConfigText(infos: ConfigInfos): string {
  const lines = infos.configs.flatMap((each) => each.value?.errors ?? []);
  return [
    `Connector configuration is invalid and contains the following ${infos.error_count} error(s):`,
    ...lines,
    "You can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`",
  ].join("\n");
}

/** For commands: a config with errors goes no further. @throws ConfigError with Connect's text. */
export function refuseInvalid(infos: ConfigInfos): void {
  if (infos.error_count === 0) return;
  const problems = infos.configs.flatMap(({ definition, value }) =>
    (value?.errors ?? []).map((message) => ({
      key: definition?.name ?? value?.name ?? "",
      message,
    })),
  );
  throw new ConfigError("config.invalid", invalidConfigText(infos), { problems });
}

/** A key as the REST API shows it. */
export function keyInfo(key: ConfigKey, prefix = ""): ConfigKeyInfo {
  return {
    name: prefix + key.name,
    type: key.type,
    required: key.required,
    default_value: defaultText(key),
    importance: key.importance,
    documentation: key.documentation,
    group: key.group,
    width: key.width,
    display_name: key.displayName,
    dependents: key.dependents,
    order: key.order,
  };
}

/** The list that Connect appends to its text about an unknown class. */
export function pluginDescText(
  classes: Iterable<{ className: string; kind: string; version: string; location: string }>,
): string {
  return [...classes]
    .map(
      ({ className, kind, version, location }) =>
        `PluginDesc{klass=class ${className}, name='${className}', version='${version}', encodedVersion=${version}, type=${kind}, typeName='${kind}', location='${location}'}`,
    )
    .join(", ");
}

/** At least one, the newest first. */
function findVersions<C extends ConnectorClass>(
  config: SubmittedConfig,
  parts: ValidationParts<C>,
): readonly [C, ...C[]] {
  const name = config["connector.class"] ?? null;
  if (name === null) {
    const shown = Object.entries(config)
      .map(([key, value]) => `${key}=${looksSecret(key) && value !== null ? "[hidden]" : value}`)
      .join(", ");
    throw new RequestError(
      "config.class_missing",
      `Connector config {${shown}} contains no connector type`,
      { status: 400 },
    );
  }
  const [newest, ...older] = parts.versions(name);
  if (newest && (newest.kind === "source" || newest.kind === "sink")) return [newest, ...older];
  throw new RequestError(
    "config.class_unknown",
    `Failed to find any class that implements Connector and which name matches ${name}, available connectors are: ${parts.available()}`,
    { status: 400 },
  );
}

/** The common keys with the defaults that hold for this class and worker. */
function baseKeys(
  cls: ConnectorClass,
  config: SubmittedConfig,
  worker: WorkerConverters,
): readonly CheckedKey[] {
  const defaults = new Map([
    ["connector.plugin.version", cls.version],
    ...converterDefaults(config, worker),
  ]);
  const kindKeys = cls.kind === "source" ? sourceKeys : sinkKeys;
  return [...commonKeys, ...kindKeys].map((key) => {
    const value = defaults.get(key.name);
    return value === undefined ? key : { ...key, defaultValue: value };
  });
}

function versionWish(config: SubmittedConfig): VersionWish {
  const wish = parseVersionWish(config["connector.plugin.version"]);
  if (wish.at !== "malformed") return wish;
  throw new RequestError("config.version_malformed", wish.reason, { status: 400 });
}

function checkVersion(
  checked: Map<string, CheckedValue>,
  versions: readonly ConnectorClass[],
  config: SubmittedConfig,
  wish: VersionWish,
): void {
  if (versions.some(({ version }) => meetsWish(version, wish))) return;
  const text = noSuchVersion(config["connector.class"] ?? "", wish, versions);
  checked.get("connector.class")?.errors.push(text);
  checked.get("connector.plugin.version")?.errors.push(text);
}

function entryOf(checked: CheckedValue): Entry {
  const { key, value, errors } = checked;
  return { key, value: valueInfo(key.name, valueText(value, key.type), errors) };
}

function valueInfo(
  name: string,
  value: string | null,
  errors: readonly string[],
  recommended: readonly string[] = [],
): ConfigValueInfo {
  return { name, value, recommended_values: recommended, errors, visible: true };
}

function addError(entries: Map<string, Entry>, name: string, message: string): void {
  const entry = entries.get(name);
  if (entry === undefined) {
    entries.set(name, { key: null, value: valueInfo(name, null, [message]) });
  } else {
    entry.value = { ...entry.value, errors: [...entry.value.errors, message] };
  }
}

/** A null is wrong everywhere but under the plugin's own keys, where its definition decides. */
function addNulls(
  entries: Map<string, Entry>,
  config: SubmittedConfig,
  own: readonly ConfigKey[],
): void {
  const ownNames = new Set(own.map((key) => key.name));
  for (const [name, value] of Object.entries(config)) {
    if (value !== null || ownNames.has(name)) continue;
    addError(entries, name, "Null value can not be supplied as the configuration value.");
  }
}

function addRefusals(
  entries: Map<string, Entry>,
  config: SubmittedConfig,
  checked: Map<string, CheckedValue>,
): void {
  for (const { key, message } of refusedKeys(config)) {
    // A value that cannot be used by Connect's own rules needs no second reason.
    const wrongAnyway = checked.has(key) && (entries.get(key)?.value.errors.length ?? 0) > 0;
    if (!wrongAnyway) addError(entries, key, message);
  }
  const policy = config["restart.policy"];
  if (typeof policy === "string" && policy !== "none" && policy !== "on-failure") {
    const reason = "String must be one of: none, on-failure";
    const message = `Invalid value ${policy} for configuration restart.policy: ${reason}`;
    addError(entries, "restart.policy", message);
  }
  const crashes = config["errors.quarantine.crashes"];
  if (typeof crashes === "string" && !/^\s*(\d{1,2}|100)?\s*$/.test(crashes)) {
    const reason = "Value must be a number from 0 (off) to 100";
    const message = `Invalid value ${crashes} for configuration errors.quarantine.crashes: ${reason}`;
    addError(entries, "errors.quarantine.crashes", message);
  }
}

async function addOwnAnswer<C extends ConnectorClass>(
  entries: Map<string, Entry>,
  cls: C,
  config: SubmittedConfig,
  parts: ValidationParts<C>,
): Promise<void> {
  if (!cls.validates || parts.validatePlugin === undefined) return;
  const given: Record<string, string> = {};
  for (const [key, value] of Object.entries(config)) if (value !== null) given[key] = value;
  const answer = await parts.validatePlugin(cls, given);
  for (const each of answer.values) {
    const key = entries.get(each.name)?.key ?? null;
    const hidden = key?.type === "PASSWORD" && each.value !== null;
    entries.set(each.name, {
      key,
      value: {
        name: each.name,
        value: hidden ? "[hidden]" : each.value,
        recommended_values: each.recommendedValues,
        errors: each.errors,
        visible: each.visible,
      },
    });
  }
}

function addRecommendations(
  entries: Map<string, Entry>,
  recommendations: Iterable<readonly [string, readonly string[]]>,
): void {
  for (const [name, recommended] of recommendations) {
    const entry = entries.get(name);
    if (entry) entry.value = { ...entry.value, recommended_values: recommended };
  }
}

function recommendedForConverters(
  config: SubmittedConfig,
  worker: WorkerConverters,
): (readonly [string, readonly string[]])[] {
  return converterDefaults(config, worker).map(([name, value]) => [
    name,
    name.endsWith(".plugin.version") ? [value] : recommendedConverters(name),
  ]);
}

function assemble(name: string, errorCount: number, entries: readonly Entry[]): ConfigInfos {
  const groups = new Set<string>();
  for (const { key } of entries) if (key?.group) groups.add(key.group);
  return {
    name,
    error_count: errorCount,
    groups: [...groups],
    configs: entries.map(({ key, value }) => ({
      definition: key === null ? null : keyInfo(key),
      value,
    })),
  };
}

function defaultText(key: ConfigKey): string | null {
  if (key.required || key.defaultValue === null) return null;
  const parsed = parseValue(key, key.defaultValue);
  const value: ParsedValue = parsed.at === "value" ? parsed.value : key.defaultValue;
  return valueText(value, key.type);
}
