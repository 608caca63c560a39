/** `/connector-plugins`: which classes there are, their keys, and the validation of a config. */

import { RequestError } from "../base/error.ts";
import type { ConfigKey } from "../config/config-def.ts";
import { connectorKeys } from "../config/connector-keys.ts";
import { findConverter, knownConverters } from "../config/converter-keys.ts";
import type { SubmittedConfig } from "../config/parse.ts";
import { pluginKindOrder } from "../config/plugin-kind.ts";
import { keyInfo } from "../config/validate-connector.ts";
import type { ConfigInfos } from "../config/validation.ts";
import {
  meetsWish,
  noSuchVersion,
  parseVersionWish,
  type VersionWish,
} from "../config/version-range.ts";
import type { PluginCatalog, PluginKind } from "../plugin/plugin.ts";
import { type Answer, validationAnswer } from "./http-error.ts";
import { parseConfigBody } from "./json-body.ts";
import { type Call, param, queryFlag, type Resource } from "./resource.ts";

export interface PluginParts {
  readonly catalog: PluginCatalog;
  readonly validate: (config: SubmittedConfig) => Promise<ConfigInfos>;
  /** What the host's own converters, transforms and predicates say is their version. */
  readonly converterVersion: string;
}

/** A class of the host's own: its transforms, predicates and converters. */
interface OwnClass {
  readonly className: string;
  readonly kinds: readonly PluginKind[];
  readonly keys: readonly ConfigKey[];
}

/** Loaded when somebody asks: a worker may run for years without that. */
async function ownClasses(): Promise<readonly OwnClass[]> {
  const { transformFactories, predicateFactories } = await import("../transform/stage-classes.ts");
  return [
    ...transformFactories.map((factory): OwnClass => ({ ...factory, kinds: ["transformation"] })),
    ...predicateFactories.map((factory): OwnClass => ({ ...factory, kinds: ["predicate"] })),
    ...knownConverters,
  ];
}

async function findOwnClass(
  name: string,
): Promise<{ readonly keys: readonly ConfigKey[] } | undefined> {
  const { findPredicate, findTransform } = await import("../transform/stage-classes.ts");
  for (const find of [findTransform, findPredicate]) {
    const found = find(name);
    if (found.at === "found") return found.factory;
  }
  return findConverter(name);
}

/** How long an unknown class is waited for while plugins are being asked what they offer. */
const lookMsMax = 5_000;

/** The resources. */
export function pluginResources(parts: PluginParts): readonly Resource[] {
  return [
    {
      path: "/connector-plugins",
      methods: {
        GET: { handle: async (call) => ({ status: 200, body: await list(parts, call) }) },
      },
    },
    {
      path: "/connector-plugins/:name/config",
      methods: {
        GET: { handle: async (call) => ({ status: 200, body: await keysOf(parts, call) }) },
      },
    },
    {
      path: "/connector-plugins/:name/config/validate",
      methods: { PUT: { readsBody: true, handle: (call) => validate(parts, call) } },
    },
  ];
}

async function list({ catalog, converterVersion }: PluginParts, call: Call): Promise<unknown> {
  await catalog.look();
  const wanted = call.query("connectorsOnly");
  const all = wanted.length > 0 && !queryFlag(call, "connectorsOnly");
  // In Connect's order the oldest of several versions comes first, and the sort below keeps it so.
  const found = [...catalog.classes].reverse().map(({ className, kind, version }) => ({
    class: className,
    type: kind,
    ...(version === "" ? {} : { version }),
  }));
  for (const { className, kinds } of await ownClasses()) {
    for (const kind of kinds)
      found.push({ class: className, type: kind, version: converterVersion });
  }
  const rank = (type: PluginKind) => pluginKindOrder.indexOf(type);
  return found
    .filter(({ type }) => all || type === "sink" || type === "source")
    .sort((a, b) => rank(a.type) - rank(b.type) || order(a.class, b.class));
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A connector's own keys come first, then the common ones that it does not redefine. */
async function keysOf({ catalog, converterVersion }: PluginParts, call: Call): Promise<unknown> {
  const name = param(call, "name");
  await catalog.look({ name, signal: AbortSignal.timeout(lookMsMax) });
  const versions = catalog.versions(name);
  const ownClass = versions.length === 0 ? await findOwnClass(name) : undefined;
  if (versions.length === 0 && !ownClass) {
    throw new RequestError("rest.plugin_unknown", `Unknown plugin ${name}.`, { status: 404 });
  }
  const wish = askedVersion(call);
  const known = ownClass ? [{ version: converterVersion }] : versions;
  if (!known.some(({ version }) => meetsWish(version, wish))) {
    const message = noSuchVersion(name, wish, known);
    throw new RequestError("rest.plugin_unknown", message, { status: 400 });
  }
  const found = versions.find(({ version }) => meetsWish(version, wish));
  const own: readonly ConfigKey[] = found?.config ?? ownClass?.keys ?? [];
  if (found?.kind !== "source" && found?.kind !== "sink") return own.map((key) => keyInfo(key));
  const names = new Set(own.map((key) => key.name));
  const base = connectorKeys(found.kind).filter((key) => !names.has(key.name));
  return [...own, ...base].map((key) =>
    keyInfo(
      key.name === "connector.plugin.version" ? { ...key, defaultValue: found.version } : key,
    ),
  );
}

function askedVersion(call: Call): VersionWish {
  const asked = call.query("version")[0];
  const wish = parseVersionWish(asked);
  if (wish.at !== "malformed") return wish;
  const message = `Invalid version specification: ${asked}`;
  throw new RequestError("rest.plugin_unknown", message, { status: 400 });
}

async function validate(parts: PluginParts, call: Call): Promise<Answer> {
  const config = parseConfigBody(call.body);
  const asked = param(call, "name");
  const given = config["connector.class"] ?? null;
  if (given !== null && !withoutSuffix(given).endsWith(withoutSuffix(asked))) {
    throw new RequestError(
      "rest.class_mismatch",
      `Included connector type ${given} does not match request type ${asked}`,
      { status: 400 },
    );
  }
  try {
    return { status: 200, body: await parts.validate(config) };
  } catch (error) {
    return validationAnswer(error);
  }
}

function withoutSuffix(name: string): string {
  const suffix = "Connector";
  return name.endsWith(suffix) && name !== suffix ? name.slice(0, -suffix.length) : name;
}
