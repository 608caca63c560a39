/** `/admin/loggers`: which logger writes from which level on, in Connect's words. */
import { RequestError } from "../base/error.ts";
import { parseLevel } from "../observe/log-level.ts";
import { type LoggerLevel, type LogLevels, loggerNamesMax } from "../observe/log-levels.ts";
import type { Logger } from "../observe/logger.ts";
import type { Answer } from "./http-error.ts";
import { parseConfigBody } from "./json-body.ts";
import { refuseBody } from "./json-text.ts";
import { type Call, param, type Resource } from "./resource.ts";

export interface LoggerParts {
  readonly levels: LogLevels;
  readonly logger: Logger;
}

/** The resources. */
export function loggerResources(parts: LoggerParts): readonly Resource[] {
  const { levels } = parts;
  return [
    {
      path: "/admin/loggers",
      methods: { GET: { handle: async () => ({ status: 200, body: list(levels) }) } },
    },
    {
      path: "/admin/loggers/:logger",
      methods: {
        GET: { handle: async (call) => ({ status: 200, body: one(levels, call) }) },
        PUT: { readsBody: true, handle: async (call) => put(parts, call) },
      },
    },
  ];
}

function list(levels: LogLevels): unknown {
  return Object.fromEntries([...levels.list()].map(([name, level]) => [name, shown(level)]));
}

function one(levels: LogLevels, call: Call): unknown {
  const name = param(call, "logger");
  const level = levels.get(name);
  if (level !== undefined) return shown(level);
  throw new RequestError("rest.logger_unknown", `Logger ${name} not found.`, { status: 404 });
}

function shown({ level, lastModifiedMs }: LoggerLevel): unknown {
  return { level, last_modified: lastModifiedMs };
}

function put({ levels, logger }: LoggerParts, call: Call): Answer {
  const name = param(call, "logger");
  const text = parseConfigBody(call.body)["level"] ?? undefined;
  if (text === undefined) {
    const message = "Desired 'level' parameter was not specified in request.";
    throw new RequestError("rest.level_invalid", message, { status: 400 });
  }
  if (text.trim() === "") refuseBody("Illegal null or empty Level name.");
  const level = parseLevel(text.trim());
  if (level === undefined) {
    throw new RequestError("rest.level_invalid", `invalid log level '${text}'.`, { status: 404 });
  }
  const changed = levels.set(name, level);
  if (changed === undefined) {
    const message = `cannot set the level of one more logger: ${loggerNamesMax} have one already`;
    throw new RequestError("rest.level_invalid", message, { status: 400 });
  }
  if (changed.length > 0) logger.info({ loggers: changed, to: level }, "log levels changed");
  // This worker is the whole cluster.
  return scopeOf(call, logger) === "cluster" ? { status: 204 } : { status: 200, body: changed };
}

function scopeOf(call: Call, logger: Logger): "worker" | "cluster" {
  const [text = "worker"] = call.query("scope");
  const scope = text.toLowerCase();
  if (scope === "worker" || scope === "cluster") return scope;
  logger.warn({ scope: text }, "a request for log levels has an unknown scope: worker is meant");
  return "worker";
}
