/** `/connector-plugins`: which classes there are, their keys, and the validation of a config. */

import { RequestError } from "../base/error.ts";
import type { ConfigKey } from "../config/config-def.ts";
import { connectorKeys } from "../config/connector-keys.ts";
import { findConverter, knownConverters } from "../config/converter-keys.ts";
import type { SubmittedConfig } from "../config/parse.ts";
import { pluginKindOrder } from "../config/plugin-kind.ts";
import { keyInfo } from "../config/validate-connector.ts";
import type { ConfigInfos } from "../config/validation.ts";
import { meetsWish, parseVersionWish } from "../config/version-range.ts";
import type { PluginCatalog, PluginKind } from "../plugin/plugin.ts";
import { type Answer, validationAnswer } from "./http-error.ts";
import { parseConfigBody } from "./json-body.ts";
import { type Call, param, queryFlag, type Resource } from "./resource.ts";

export interface PluginParts {
  readonly catalog: PluginCatalog;
  readonly validate: (config: SubmittedConfig) => Promise<ConfigInfos>;
  /** What the host's own converters say is their version. */
  readonly converterVersion: string;
}

/** The resources. */
export function pluginResources(parts: PluginParts): readonly Resource[] {
  return [
    {
      path: "/connector-plugins",
      methods: { GET: { handle: async (call) => ({ status: 200, body: list(parts, call) }) } },
    },
    {
      path: "/connector-plugins/:name/config",
      methods: { GET: { handle: async (call) => ({ status: 200, body: keysOf(parts, call) }) } },
    },
    {
      path: "/connector-plugins/:name/config/validate",
      methods: { PUT: { readsBody: true, handle: (call) => validate(parts, call) } },
    },
  ];
}

function list({ catalog, converterVersion }: PluginParts, call: Call): unknown {
  const wanted = call.query("connectorsOnly");
  const all = wanted.length > 0 && !queryFlag(call, "connectorsOnly");
  const found = catalog.classes.map(({ className, kind, version }) => ({
    class: className,
    type: kind,
    ...(version === "" ? {} : { version }),
  }));
  for (const { className, kinds } of knownConverters) {
    for (const kind of kinds)
      found.push({ class: className, type: kind, version: converterVersion });
  }
  const rank = (type: PluginKind) => pluginKindOrder.indexOf(type);
  return found
    .filter(({ type }) => all || type === "sink" || type === "source")
    .sort((a, b) => rank(a.type) - rank(b.type) || (a.class < b.class ? -1 : 1));
}

/** A connector's own keys come first, then the common ones that it does not redefine. */
function keysOf({ catalog, converterVersion }: PluginParts, call: Call): unknown {
  const name = param(call, "name");
  const found = catalog.find(name);
  const converter = found ? undefined : findConverter(name);
  if (!found && !converter) {
    throw new RequestError("rest.plugin_unknown", `Unknown plugin ${name}.`, { status: 404 });
  }
  checkVersion(name, found?.version ?? converterVersion, call);
  const own: readonly ConfigKey[] = found?.config ?? converter?.keys ?? [];
  if (found?.kind !== "source" && found?.kind !== "sink") return own.map((key) => keyInfo(key));
  const names = new Set(own.map((key) => key.name));
  const base = connectorKeys(found.kind).filter((key) => !names.has(key.name));
  return [...own, ...base].map((key) =>
    keyInfo(
      key.name === "connector.plugin.version" ? { ...key, defaultValue: found.version } : key,
    ),
  );
}

function checkVersion(name: string, version: string, call: Call): void {
  const asked = call.query("version")[0];
  const wish = parseVersionWish(asked);
  if (meetsWish(version, wish)) return;
  const message =
    wish.at === "range"
      ? `Plugin ${name} not found that matches the version range ${wish.text}, available versions: [${version}]`
      : `Invalid version specification: ${asked}`;
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
