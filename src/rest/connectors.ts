/** `/connectors`: list, create, read, change, delete, and the life cycle commands. */
import { RequestError } from "../base/error.ts";
import type { SubmittedConfig } from "../config/parse.ts";
import { refuseInvalid } from "../config/validate-connector.ts";
import type { ConfigInfos } from "../config/validation.ts";
import type { ConnectorInfo, Herder } from "../herder/herder.ts";
import type { ConnectorConfig } from "../plugin/plugin.ts";
import type { Answer } from "./http-error.ts";
import { parseConfigBody, parseCreateRequest } from "./json-body.ts";
import { encodeName } from "./request-path.ts";
import { type Call, param, queryFlag, type Resource } from "./resource.ts";

export interface ConnectorParts {
  readonly herder: Herder;
  /** Asked here only about nulls, which the herder's configs cannot have. */
  readonly validate: (config: SubmittedConfig) => Promise<ConfigInfos>;
}

/** The resources. */
export function connectorResources({ herder, validate }: ConnectorParts): readonly Resource[] {
  return [
    {
      path: "/connectors",
      methods: {
        GET: { handle: async (call) => ({ status: 200, body: await list(herder, call) }) },
        POST: { readsBody: true, handle: (call) => create(herder, validate, call) },
      },
    },
    {
      path: "/connectors/:name",
      methods: {
        GET: { handle: async (call) => ok(await herder.connector(param(call, "name"))) },
        DELETE: {
          handle: async (call) => {
            await herder.delete(param(call, "name"));
            return { status: 204 };
          },
        },
      },
    },
    {
      path: "/connectors/:name/config",
      methods: {
        GET: { handle: async (call) => ok(await herder.config(param(call, "name"))) },
        PUT: { readsBody: true, handle: (call) => putConfig(herder, validate, call) },
      },
    },
    {
      path: "/connectors/:name/status",
      methods: { GET: { handle: async (call) => ok(herder.status(param(call, "name"))) } },
    },
    {
      path: "/connectors/:name/restart",
      methods: { POST: { handle: (call) => restart(herder, call) } },
    },
    command("pause", 202, (name) => herder.pause(name)),
    command("resume", 202, (name) => herder.resume(name)),
    command("stop", 204, (name) => herder.stop(name)),
  ];
}

function ok(body: unknown): Answer {
  return { status: 200, body };
}

function command(verb: string, status: number, run: (name: string) => Promise<void>): Resource {
  return {
    path: `/connectors/:name/${verb}`,
    methods: {
      PUT: {
        handle: async (call) => {
          await run(param(call, "name"));
          return { status };
        },
      },
    },
  };
}

/** Any `expand`, even an unknown one, asks for the map form. */
async function list(herder: Herder, call: Call): Promise<unknown> {
  const expand = call.query("expand");
  const names = herder.connectors();
  if (expand.length === 0) return names;
  const expanded: [string, unknown][] = [];
  for (const name of names) {
    try {
      const entry: Record<string, unknown> = {};
      if (expand.includes("status")) entry["status"] = herder.status(name);
      if (expand.includes("info")) entry["info"] = await herder.connector(name);
      expanded.push([name, entry]);
    } catch (error) {
      // Deleted since the list was made, or never started: left out, as in Connect.
      if (!(error instanceof RequestError && error.status === 404)) throw error;
    }
  }
  return Object.fromEntries(expanded);
}

async function create(
  herder: Herder,
  validate: ConnectorParts["validate"],
  call: Call,
): Promise<Answer> {
  const request = parseCreateRequest(call.body);
  const config = withName(request.config, request.name);
  const given = await withoutNulls(config, validate);
  const info = await herder.create(request.name, given, request.initialState);
  return created(info, call);
}

async function putConfig(
  herder: Herder,
  validate: ConnectorParts["validate"],
  call: Call,
): Promise<Answer> {
  const name = param(call, "name");
  const config = withName(parseConfigBody(call.body), name);
  const put = await herder.putConfig(name, await withoutNulls(config, validate));
  return put.created ? created(put.info, call) : ok(put.info);
}

function created(info: ConnectorInfo, call: Call): Answer {
  const location = `${call.baseUrl}/connectors/${encodeName(info.name)}`;
  return { status: 201, body: info, headers: { location } };
}

function withName(config: SubmittedConfig, name: string): SubmittedConfig {
  const own = Object.hasOwn(config, "name") ? config["name"] : undefined;
  if (own !== undefined && own !== name) {
    throw new RequestError(
      "rest.name_mismatch",
      `Connector name configuration (${own}) doesn't match connector name in the URL (${name})`,
      { status: 400 },
    );
  }
  return { ...config, name };
}

/** A null that validation lets pass (a key of the plugin's own) cannot be stored all the same. */
async function withoutNulls(
  config: SubmittedConfig,
  validate: ConnectorParts["validate"],
): Promise<ConnectorConfig> {
  const key = Object.keys(config).find((each) => config[each] === null);
  if (key === undefined) return config as ConnectorConfig;
  refuseInvalid(await validate(config));
  throw new RequestError(
    "rest.body_invalid",
    `Non-string value found in original settings for key ${key}: null`,
    { status: 500 },
  );
}

async function restart(herder: Herder, call: Call): Promise<Answer> {
  const plan = await herder.restart(param(call, "name"), {
    includeTasks: queryFlag(call, "includeTasks"),
    onlyFailed: queryFlag(call, "onlyFailed"),
  });
  return plan === undefined ? { status: 204 } : { status: 202, body: plan };
}
