/** The REST server: fastify routes, one answer for every request, and the sockets it listens on. */
import { setMaxListeners } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import { within } from "../base/deadline.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { ConfigError, errorLine, HostError } from "../base/error.ts";
import type { Listener } from "../config/listener.ts";
import type { SubmittedConfig } from "../config/parse.ts";
import type { ConfigInfos } from "../config/validation.ts";
import type { Herder } from "../herder/herder.ts";
import type { HostLog } from "../observe/host-log.ts";
import type { PluginCatalog, ProcessView } from "../plugin/plugin.ts";
import { connectorResources } from "./connectors.ts";
import { healthResources } from "./health.ts";
import { type Answer, answerOf, errorAnswer, frameworkAnswer } from "./http-error.ts";
import { loggerResources } from "./loggers.ts";
import { type LogParts, logResources } from "./logs.ts";
import { isJson, preferred } from "./media-type.ts";
import { ownResources, type RunningTask } from "./own.ts";
import { pluginResources } from "./plugins.ts";
import { parseRequestPath } from "./request-path.ts";
import type { Call, Endpoint, Method, Resource } from "./resource.ts";
import type { RestServer } from "./rest.ts";
import { taskResources } from "./tasks.ts";
import { type TopicTracking, topicResources } from "./topics.ts";

export interface RestOptions {
  readonly herder: Herder;
  readonly catalog: PluginCatalog;
  /** Of a whole connector config; rejects as `validateConnector` does. */
  readonly validate: (config: SubmittedConfig) => Promise<ConfigInfos>;
  /** At least one. Port 0 takes any free port. */
  readonly listeners: readonly Listener[];
  /** The Connect API that is spoken, `4.1.1`. */
  readonly version: string;
  readonly commit: string;
  /** Our own version, for the `Server` header: `/` has no room for it. */
  readonly hostVersion: string;
  /** What it logs to, and what it shows and changes of the log. */
  readonly log: HostLog;
  /** For `/bulkhead/tasks`. */
  readonly runningTasks?: () => readonly RunningTask[];
  /** For `/bulkhead/plugins`. */
  readonly processes?: () => readonly ProcessView[];
  /** For `/bulkhead/ready`; see `HealthParts`. */
  readonly reachLog?: () => Promise<void>;
  /** `topic.tracking.*` of the worker; by default as Connect's, which allow everything. */
  readonly topicTracking?: TopicTracking;
  /** Connect's limits, shorter in tests. */
  readonly requestMsMax?: number;
  readonly healthMsMax?: number;
  readonly closeMsMax?: number;
  readonly following?: Pick<LogParts, "heartbeatMs" | "followersMax">;
}

interface ServeOptions extends RestOptions {
  /** The answer to whatever still waits when the server has closed. */
  readonly cut: Deferred<Answer>;
  /** Fires when the server begins to close. */
  readonly closing: AbortSignal;
}

/** I5: nobody sends a config of this size. */
const bodyBytesMax = 16 * 1024 * 1024;
const paramLengthMax = 16 * 1024;
/** How long a stream's reader may take for what is left when the server closes. */
const lastWordsMsMax = 500;

/**
 * Listens on every address before it resolves.
 * @throws ConfigError that names the address that cannot be used.
 */
export async function createRestServer(options: RestOptions): Promise<RestServer> {
  const app = fastify({
    bodyLimit: bodyBytesMax,
    routerOptions: { maxParamLength: paramLengthMax },
    logger: false,
    schemaController: { compilersFactory: noSchemas },
  });
  acceptAnyBody(app);
  app.setNotFoundHandler((_request, reply) => send(reply, frameworkAnswer(404)));
  app.setErrorHandler((error, _request, reply) => send(reply, httpLayerAnswer(error)));
  const closing = new AbortController();
  // Each follower of a log listens to it.
  setMaxListeners(0, closing.signal);
  const serving = { ...options, cut: deferred<Answer>(), closing: closing.signal };
  for (const resource of resources(serving)) serve(app, resource, serving);
  await app.ready();

  const sockets = new Sockets(app, `bulkhead/${options.hostVersion}`);
  try {
    for (const listener of options.listeners) await sockets.listen(listener);
  } catch (error) {
    await sockets.close(0);
    await app.close();
    throw error;
  }
  return {
    url: sockets.url,
    async close() {
      closing.abort();
      await sockets.close(options.closeMsMax ?? 60_000);
      // I6: no request waits on after its connection is gone.
      serving.cut.resolve(errorAnswer(500, "Worker is shutting down"));
      await app.close();
    },
  };
}

function resources(options: ServeOptions): readonly Resource[] {
  const { herder, catalog, validate, version, commit, closing, healthMsMax = 10_000 } = options;
  const { runningTasks = () => [], processes = () => [], reachLog = async () => {} } = options;
  const { logger, levels, rings } = options.log;
  return [
    ...healthResources({ herder, reachLog, version, commit, healthMsMax }),
    ...connectorResources({ herder, validate }),
    ...taskResources(herder),
    ...topicResources(herder, options.topicTracking),
    ...pluginResources({ catalog, validate, converterVersion: version }),
    ...ownResources({ runningTasks, catalog, processes }),
    ...loggerResources({ levels, logger }),
    ...logResources({ herder, rings, closing, ...options.following }),
  ];
}

/**
 * No route has a schema. Without this fastify loads two schema compilers at every start, a third of
 * what REST costs there.
 */
const noSchemas = { buildValidator: refuseSchemas, buildSerializer: refuseSchemas };

function refuseSchemas(): never {
  throw new Error("a route with a schema: give the server its compilers again");
}

/** Bodies are read as bytes whatever their type; the type was checked before. */
function acceptAnyBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
}

/** One route for all methods of a path, so that a wrong method is a 405 and not a 404. */
function serve(app: FastifyInstance, resource: Resource, options: ServeOptions): void {
  app.route({
    method: app.supportedMethods,
    url: resource.path,
    onRequest: (request, reply, done) => {
      const refusal = refuse(resource, request);
      if (refusal === undefined) done();
      else void send(reply, refusal);
    },
    handler: async (request, reply) => {
      const endpoint = endpointOf(resource, request.method);
      const answer = endpoint ? await answerCall(endpoint, request, options) : frameworkAnswer(405);
      if (answer.stream !== undefined) endWithServer(reply, options.closing);
      return send(reply, answer);
    },
  });
}

function endpointOf(resource: Resource, method: string): Endpoint | undefined {
  return resource.methods[(method === "HEAD" ? "GET" : method) as Method];
}

/** The checks of the HTTP layer, in Connect's order. */
function refuse(resource: Resource, request: FastifyRequest): Answer | undefined {
  if (request.method === "OPTIONS") return allowed(resource);
  const endpoint = endpointOf(resource, request.method);
  if (endpoint === undefined) return frameworkAnswer(405);
  const type = request.headers["content-type"];
  const hasBody = ["POST", "PUT", "PATCH"].includes(request.method);
  if (hasBody && type !== undefined && !isJson(type)) return frameworkAnswer(415);
  const { accept } = request.headers;
  if (preferred(accept, endpoint.produces ?? json) === undefined) return frameworkAnswer(406);
  return undefined;
}

const json = ["application/json"];

function allowed(resource: Resource): Answer {
  const methods = Object.keys(resource.methods);
  const allow = [...(methods.includes("GET") ? ["HEAD"] : []), ...methods, "OPTIONS"].join(",");
  return { status: 200, body: allow, headers: { allow, "content-type": "text/plain" } };
}

async function answerCall(
  endpoint: Endpoint,
  request: FastifyRequest,
  options: ServeOptions,
): Promise<Answer> {
  const { herder, requestMsMax = 90_000 } = options;
  const { logger } = options.log;
  const call = callOf(request);
  const untyped = request.headers["content-type"] === undefined;
  if (endpoint.readsBody && untyped && call.body?.length) return frameworkAnswer(415);
  try {
    if (endpoint.always) return await endpoint.handle(call);
    const work = herder.ready.then(() => endpoint.handle(call));
    // The work goes on after the time is up; its late failure is nobody's any more.
    work.catch(() => {});
    const answered = Promise.race([work, options.cut.promise]);
    return await within(answered, requestMsMax, errorAnswer(500, "Request timed out"));
  } catch (error) {
    const answer = answerOf(error);
    if (answer.status >= 500) {
      const { method, url } = request;
      // Where in the host an error was made helps only where it is the host's own.
      if (error instanceof HostError) {
        logger.warn({ method, url, code: error.code }, `request failed: ${errorLine(error)}`);
      } else logger.warn({ err: error, method, url }, "request failed");
    }
    return answer;
  }
}

function callOf(request: FastifyRequest): Call {
  const query = request.query as Readonly<Record<string, string | string[]>>;
  const body = request.body;
  return {
    params: request.params as Readonly<Record<string, string>>,
    query: (name) => (Object.hasOwn(query, name) ? [query[name] ?? []].flat() : []),
    header: (name) => request.headers[name] as string | undefined,
    body: Buffer.isBuffer(body) ? body : undefined,
    baseUrl: `http://${request.headers.host ?? "localhost"}`,
  };
}

function httpLayerAnswer(error: unknown): Answer {
  const status = (error as { statusCode?: unknown }).statusCode;
  if (typeof status === "number" && status >= 400 && status < 500) return frameworkAnswer(status);
  return answerOf(error);
}

/** Bytes, so that fastify leaves the content type as Connect sends it. */
function send(reply: FastifyReply, answer: Answer): FastifyReply {
  reply.code(answer.status);
  for (const [name, value] of Object.entries(answer.headers ?? {})) reply.header(name, value);
  if (answer.stream !== undefined) {
    if (reply.request.method !== "HEAD") return reply.send(answer.stream);
    answer.stream.destroy();
  }
  if (answer.body === undefined) return reply.send();
  if (!reply.hasHeader("content-type")) reply.header("content-type", "application/json");
  const text = typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body);
  return reply.send(Buffer.from(text));
}

/** I6: a reader that does not take the end of its stream is cut off. */
function endWithServer(reply: FastifyReply, closing: AbortSignal): void {
  const cut = () => void setTimeout(() => reply.raw.destroy(), lastWordsMsMax).unref();
  closing.addEventListener("abort", cut, { once: true });
  reply.raw.once("close", () => closing.removeEventListener("abort", cut));
}

/** The listening sockets, one server each, all in front of the same routes. */
class Sockets {
  readonly #app: FastifyInstance;
  readonly #serverName: string;
  readonly #servers: Server[] = [];
  /** Connections that no request has come on: node does not count them as idle. */
  readonly #unused = new Set<Socket>();
  #closing = false;
  /** Of the first one, as bound. */
  url = "";

  constructor(app: FastifyInstance, serverName: string) {
    this.#app = app;
    this.#serverName = serverName;
  }

  async listen(listener: Listener): Promise<void> {
    const server = createServer((request, response) => this.#handle(request, response));
    server.on("connection", (socket) => {
      this.#unused.add(socket);
      socket.once("close", () => this.#unused.delete(socket));
    });
    const { host, port } = listener;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) => reject(listenError(listener, error)));
      server.listen(host === "" ? { port } : { host, port }, resolve);
    });
    this.#servers.push(server);
    const bound = server.address() as AddressInfo;
    this.url ||= `http://${host === "" ? "localhost" : urlHost(host)}:${bound.port}`;
  }

  /** Waits for running requests, but not longer than this. */
  async close(msMax: number): Promise<void> {
    this.#closing = true;
    for (const socket of this.#unused) socket.destroy();
    const closed = this.#servers.map(
      (server) =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          server.closeIdleConnections();
        }),
    );
    const late = await within(Promise.all(closed), msMax, "late");
    if (late !== "late") return;
    for (const server of this.#servers) server.closeAllConnections();
    await Promise.all(closed);
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    this.#unused.delete(request.socket);
    response.setHeader("Server", this.#serverName);
    // A kept connection would hold up the close that waits for it.
    if (this.#closing) response.shouldKeepAlive = false;
    response.once("finish", () => {
      if (this.#closing) setImmediate(() => this.#closeIdle());
    });
    const path = parseRequestPath(request.url ?? "/");
    if (path.at === "refused") {
      response.writeHead(400, { "content-type": "application/json" });
      response.end(JSON.stringify(frameworkAnswer(400).body));
      return;
    }
    request.url = path.url;
    this.#app.routing(request, response);
  }

  #closeIdle(): void {
    for (const server of this.#servers) server.closeIdleConnections();
  }
}

function listenError(listener: Listener, error: NodeJS.ErrnoException): ConfigError {
  const address = `http://${urlHost(listener.host)}:${listener.port}`;
  const why: Record<string, [reason: string, remedy: string]> = {
    EADDRINUSE: ["the port is in use", "stop the program that has it"],
    EACCES: ["this user may not use the port", "take one from 1024 up"],
    EADDRNOTAVAIL: ["this machine does not have that address", "correct it"],
    ENOTFOUND: ["the host name is unknown", "correct it"],
  };
  const [reason, remedy] = why[error.code ?? ""] ?? [error.message, "look at what is in the way"];
  const message = `cannot listen on ${address}: ${reason}`;
  return new ConfigError("rest.address_unusable", message, {
    problems: [{ key: "listeners", message }],
    hint: `${remedy}, or set listeners in the worker config to another address`,
  });
}

function urlHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
