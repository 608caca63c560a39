/** Request bodies as Connect's types, with Jackson's words (and status 500) where they do not fit. */
import type { SubmittedConfig } from "../config/parse.ts";
import type { TargetState } from "../state/status.ts";
import { type JsonValue, parseJson, refuseBody } from "./json-text.ts";

export interface CreateRequest {
  /** Trimmed; empty where the body has none. */
  readonly name: string;
  readonly config: SubmittedConfig;
  readonly initialState: TargetState | undefined;
}

const createClass = "org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest";
const mapClass = "java.util.LinkedHashMap<java.lang.String,java.lang.String>";

const initialStates: Readonly<Record<string, TargetState>> = {
  RUNNING: "STARTED",
  PAUSED: "PAUSED",
  STOPPED: "STOPPED",
};

/** The body of `POST /connectors`. @throws RequestError (500) */
export function parseCreateRequest(body: Buffer | undefined): CreateRequest {
  const value = parseBody(body, "a JSON object with name and config");
  if (value.at !== "object") return refuseFor(createClass, value);
  for (const member of value.members.keys()) {
    if (member !== "name" && member !== "config" && member !== "initial_state") {
      refuseBody(
        `Unrecognized field "${member}" (class ${createClass}), not marked as ignorable (3 known properties: "config", "initial_state", "name"])`,
      );
    }
  }
  const initialState = parseInitialState(value.members.get("initial_state"));
  const config = value.members.get("config");
  const name = textOf(value.members.get("name"));
  if (config === undefined || config.at === "null") {
    return refuseBody("the request has no config: send a JSON object with name and config");
  }
  return { name: name?.trim() ?? "", config: configOf(config), initialState };
}

/** A flat config: the body of `PUT …/config` and of validate. @throws RequestError (500) */
export function parseConfigBody(body: Buffer | undefined): SubmittedConfig {
  return configOf(parseBody(body, "a JSON object with the config"));
}

function parseBody(body: Buffer | undefined, wanted: string): JsonValue {
  const text = decodeUtf8(body ?? Buffer.alloc(0));
  if (text.trim() === "") return refuseBody(`the request body is empty: send ${wanted}`);
  const value = parseJson(text);
  return value.at === "null" ? refuseBody(`the request body is null: send ${wanted}`) : value;
}

function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return refuseBody("Invalid UTF-8 in the request body");
  }
}

function configOf(value: JsonValue): SubmittedConfig {
  if (value.at !== "object") return refuseFor(mapClass, value);
  const entries: [string, string | null][] = [];
  for (const [key, member] of value.members) entries.push([key, textOf(member)]);
  return Object.fromEntries(entries);
}

/** Numbers and booleans count as the text they were written as. */
function textOf(value: JsonValue | undefined): string | null {
  if (value === undefined || value.at === "null") return null;
  if (value.at === "object" || value.at === "array") return refuseFor("java.lang.String", value);
  return value.text;
}

function parseInitialState(value: JsonValue | undefined): TargetState | undefined {
  const text = textOf(value);
  if (text === null) return undefined;
  const state = initialStates[text.toUpperCase()];
  if (state !== undefined && value?.at === "string") return state;
  return refuseBody(
    `Cannot construct instance of \`${createClass}$InitialState\`, problem: Unsupported initial state '${text}': it must be one of RUNNING, PAUSED, STOPPED`,
  );
}

/** Jackson's two sentences: structures cannot be mapped, scalars have no constructor. */
function refuseFor(javaClass: string, value: JsonValue): never {
  if (value.at === "object" || value.at === "array") {
    const kind = value.at === "object" ? "Object" : "Array";
    refuseBody(
      `Cannot deserialize value of type \`${javaClass}\` from ${kind} value (token \`JsonToken.START_${kind.toUpperCase()}\`)`,
    );
  }
  const plain = javaClass.replace(/<.*/, "");
  const kinds = { string: "String", number: "Number", boolean: "Boolean", null: "null" } as const;
  const shown = "text" in value ? ` ('${value.text}')` : "";
  return refuseBody(
    `Cannot construct instance of \`${plain}\` (although at least one Creator exists): no ${kinds[value.at]}-argument constructor/factory method to deserialize from ${kinds[value.at]} value${shown}`,
  );
}
