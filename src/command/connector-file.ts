import { getProperties } from "properties-file";
import { ConfigError } from "../base/error.ts";
import type { ConnectorConfig } from "../plugin/plugin.ts";
import type { TargetState } from "../state/status.ts";
import { readTextFile } from "./properties-file.ts";

/** A connector that standalone mode is given on its command line. */
export interface ConnectorFile {
  readonly path: string;
  readonly name: string;
  readonly config: ConnectorConfig;
  readonly initialState: TargetState | undefined;
}

const targets: Readonly<Record<string, TargetState>> = {
  RUNNING: "STARTED",
  PAUSED: "PAUSED",
  STOPPED: "STOPPED",
};

/**
 * Reads one. As Connect's standalone does, it tries `{"name","config","initial_state"}`, then a flat
 * JSON map of texts with a `name`, then Java properties.
 * @throws ConfigError naming the file and what is wrong in it.
 */
export async function readConnectorFile(path: string): Promise<ConnectorFile> {
  const text = await readTextFile(path, "connector");
  const json = parseJson(text);
  if (json.at === "value") return fromJson(path, json.value);
  const properties = getProperties(text);
  const meansJson = path.endsWith(".json") || text.trimStart().startsWith("{");
  if (meansJson && !properties["name"]) throw wrong(path, `it is not JSON: ${json.reason}`);
  return named(path, properties, undefined);
}

type ParsedJson = { at: "value"; value: unknown } | { at: "broken"; reason: string };

function parseJson(text: string): ParsedJson {
  try {
    return { at: "value", value: JSON.parse(text) };
  } catch (error) {
    // V8 quotes what it stumbled over, which may be a password: only the place is told.
    const place = / at position \d+/.exec((error as Error).message)?.[0] ?? "";
    return { at: "broken", reason: `check its quotes, commas and brackets${place}` };
  }
}

function fromJson(path: string, json: unknown): ConnectorFile {
  if (!isMap(json)) throw wrong(path, "it is JSON, but not an object");
  const { config, initial_state: state, ...rest } = json;
  if (!isMap(config)) return named(path, texts(path, json), undefined);
  const unknown = Object.keys(rest).filter((key) => key !== "name");
  if (unknown.length > 0) throw wrong(path, `unknown member ${unknown.join(", ")} beside "config"`);
  const initialState = state === undefined ? undefined : targets[String(state).toUpperCase()];
  if (state !== undefined && initialState === undefined) {
    throw wrong(path, `initial_state must be RUNNING, PAUSED or STOPPED, not ${String(state)}`);
  }
  const name = typeof json["name"] === "string" ? { name: json["name"] } : {};
  return named(path, { ...texts(path, config), ...name }, initialState);
}

function named(
  path: string,
  config: ConnectorConfig,
  initialState: TargetState | undefined,
): ConnectorFile {
  const name = config["name"];
  if (name === undefined || name === "") throw wrong(path, "it has no name: add the key `name`");
  return { path, name, config, initialState };
}

/** JSON numbers and booleans are fine as values, as over REST. */
function texts(path: string, map: Record<string, unknown>): Record<string, string> {
  const config: Record<string, string> = {};
  for (const [key, value] of Object.entries(map)) {
    if (value === null || typeof value === "object") {
      throw wrong(path, `the value of ${key} must be a text`);
    }
    config[key] = String(value);
  }
  return config;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function wrong(path: string, reason: string): ConfigError {
  return new ConfigError("config.file_invalid", `cannot use the connector file ${path}: ${reason}`);
}
