/**
 * The control stream of one plugin process: requests and their replies, the plugin's own calls,
 * heartbeats, logs and events. The session is the process: when it ends, so does the process.
 */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { type Deferred, deferred } from "../base/deferred.ts";
import { errorLine, TaskError } from "../base/error.ts";
import type { PinoLevel } from "../observe/log-level.ts";
import type { Logger } from "../observe/logger.ts";
import { decodeMessage } from "./decode-message.ts";
import {
  type Call,
  type Hello,
  HostMessageSchema,
  type LogBatch,
  type PluginInfo,
  PluginInfoSchema,
  PluginMessageSchema,
  type Reply,
  type Request,
} from "./gen/bulkhead/plugin/v1/session_pb.ts";
import type { ByteStream } from "./grpc-service.ts";
import { type Heartbeat, heartbeatFromProto } from "./heartbeat.ts";
import { limits } from "./limits.ts";
import { Outbox } from "./outbox.ts";
import { levelToProto } from "./output.ts";
import { answerCall, type CallParts, takeEvent } from "./plugin-call.ts";
import { protocolError } from "./protocol-error.ts";
import { refusalOf } from "./refused-message.ts";
import { ReplyParts } from "./reply-parts.ts";

/** The contract's major version that this host speaks. */
export const protocolVersion = 1;

/** What the host offers; a plugin gets those it has too. */
export const hostCapabilities: readonly string[] = ["canonical_json", "stages"];

/** Requests that never queue; a connector's stop leaves them alone. */
const ofTasks: readonly RequestCase[] = ["startTask", "openStage", "closeStage"];

export interface SessionOptions extends CallParts {
  messageBytesMax: number;
  heartbeatMs: number;
  /** What the plugin shall log from, now, by logger; "" is the root. */
  logLevels: () => ReadonlyMap<string, PinoLevel>;
  hostName: string;
  hostVersion: string;
  logger: Logger;
  onLog: (batch: LogBatch) => void;
  onHeartbeat: () => void;
  /** Why the process is gone, in words; asked only once the session has ended. */
  whyGone: () => Promise<string>;
}

export type RequestCase = Exclude<Request["kind"]["case"], undefined>;
export type RequestOf<C extends RequestCase> = Extract<Request["kind"], { case: C }>["value"];
export type ResultOf<C extends RequestCase> = Extract<Reply["kind"], { case: C }>["value"];

export interface RequestOptions {
  connector: string;
  timeoutMs: number;
  signal?: AbortSignal;
  /** Goes out at once instead of after the connector's earlier requests. */
  atOnce?: boolean;
}

/** A request that was sent. */
interface Open {
  readonly connector: string;
  readonly kind: RequestCase;
  readonly reply: Deferred<Reply>;
  readonly parts: ReplyParts;
}

export class Session {
  /** What the program said it is. */
  readonly plugin: PluginInfo;
  readonly #options: SessionOptions;
  readonly #outbox: Outbox;
  readonly #open = new Map<bigint, Open>();
  /** The end of the last request of each connector. */
  readonly #tails = new Map<string, Promise<unknown>>();
  readonly #ended = deferred();
  readonly #shutdownAck = deferred();
  readonly #capabilities: ReadonlySet<string>;
  readonly #toldLevels = new Map<string, PinoLevel>();
  #over = false;
  #breach: string | undefined;
  #nextId = 1n;
  #openCalls = 0;
  #lastHeartbeat: Heartbeat | undefined;

  constructor(call: ByteStream, hello: Hello, options: SessionOptions) {
    this.#options = options;
    this.plugin = hello.plugin ?? create(PluginInfoSchema);
    this.#capabilities = new Set(
      hello.capabilities.filter((one) => hostCapabilities.includes(one)),
    );
    this.#outbox = new Outbox(call, options.messageBytesMax);
    call.on("data", (message: Buffer) => this.#receive(message));
    call.once("end", () => this.#end());
    call.once("cancelled", () => {
      if (!this.#over) this.#breach ??= refusalOf(call);
      this.#end();
    });
    this.#send({ case: "welcome", value: this.#welcome() });
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** Which rule the plugin broke, where that ended the session. */
  get breach(): string | undefined {
    return this.#breach;
  }

  has(capability: string): boolean {
    return this.#capabilities.has(capability);
  }

  /** The newest one, for whoever shows how a plugin fares. */
  get lastHeartbeat(): Heartbeat | undefined {
    return this.#lastHeartbeat;
  }

  /**
   * Asks the plugin and waits. Requests of one connector run in order, of different ones side by side.
   * @throws TaskError `plugin.request_timeout`, `plugin.gone`, or with the plugin's failure via `fail`
   */
  async request<C extends RequestCase>(
    kind: C,
    value: RequestOf<C>,
    options: RequestOptions,
  ): Promise<Reply["kind"]> {
    if (options.atOnce) return this.#ask(kind, value, options);
    const before = this.#tails.get(options.connector);
    const mine = (before ?? Promise.resolve()).then(() => this.#ask(kind, value, options));
    const tail = mine.then(
      () => {},
      () => {},
    );
    this.#tails.set(options.connector, tail);
    try {
      return await mine;
    } finally {
      if (this.#tails.get(options.connector) === tail) this.#tails.delete(options.connector);
    }
  }

  /** Asks the plugin to give up what it does for a connector, what it does for its tasks aside. */
  cancelRequests(connector: string): void {
    for (const [id, open] of this.#open) {
      if (open.connector === connector && !ofTasks.includes(open.kind)) this.#cancel(id);
    }
  }

  /** Tells the plugin which levels are others now; also done before each request. */
  tellLogLevels(): void {
    for (const [logger, level] of this.#options.logLevels()) {
      if (this.#toldLevels.get(logger) === level) continue;
      this.#toldLevels.set(logger, level);
      this.#send({ case: "setLogLevel", value: { logger, level: levelToProto(level) } });
    }
  }

  /** Resolves when the plugin has acknowledged, or the session has ended. */
  async shutdown(reason: string, timeoutMs: number): Promise<void> {
    this.#send({ case: "shutdown", value: { timeoutMs: BigInt(timeoutMs), reason } });
    await Promise.race([this.#shutdownAck.promise, this.#ended.promise]);
  }

  /** Half-closes the host's side. */
  close(): void {
    this.#outbox.end();
  }

  /** Ends it with an error that the plugin is told; nothing that still comes is heard. */
  cut(reason: string): void {
    this.#outbox.fail(status.ABORTED, reason);
    this.#end();
  }

  async #ask<C extends RequestCase>(
    kind: C,
    value: RequestOf<C>,
    { connector, timeoutMs, signal }: RequestOptions,
  ): Promise<Reply["kind"]> {
    const doing = `${wordsFor(kind)}${connector === "" ? "" : ` of ${connector}`}`;
    signal?.throwIfAborted();
    if (this.#over) throw await this.#gone(doing);
    // Who lives in the process may have changed, and with it what is wanted of its log.
    this.tellLogLevels();
    const id = this.#nextId;
    this.#nextId += 1n;
    const open: Open = { connector, kind, reply: deferred(), parts: new ReplyParts() };
    this.#open.set(id, open);
    const giveUp = (error: unknown) => {
      this.#cancel(id);
      open.reply.reject(error);
    };
    const late = `the plugin did not answer ${doing} within ${timeoutMs} ms`;
    const timer = setTimeout(
      () => giveUp(new TaskError("plugin.request_timeout", late)),
      timeoutMs,
    );
    const abort = () => giveUp(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      this.#send({
        case: "request",
        value: {
          id,
          timeoutMs: BigInt(timeoutMs),
          connector,
          kind: { case: kind, value } as never,
        },
      });
      const reply = await Promise.race([open.reply.promise, this.#ended.promise]);
      if (reply === undefined) throw await this.#gone(doing);
      return reply.kind;
    } finally {
      this.#open.delete(id);
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  async #gone(doing: string): Promise<TaskError> {
    return new TaskError("plugin.gone", `cannot get ${doing}: ${await this.#options.whyGone()}`);
  }

  #cancel(id: bigint): void {
    this.#send({ case: "cancel", value: { requestId: id } });
  }

  #welcome(): WelcomeInit {
    const { heartbeatMs, hostName, hostVersion, logLevels } = this.#options;
    const levels = logLevels();
    for (const [logger, level] of levels) this.#toldLevels.set(logger, level);
    return {
      protocol: protocolVersion,
      capabilities: [...this.#capabilities],
      heartbeatIntervalMs: BigInt(heartbeatMs),
      logLevels: [...levels].map(([name, level]) => ({ logger: name, level: levelToProto(level) })),
      hostName,
      hostVersion,
    };
  }

  #send(kind: HostKind): void {
    if (this.#over) return;
    this.#outbox.send(toBinary(HostMessageSchema, create(HostMessageSchema, { kind })));
  }

  #receive(message: Buffer): void {
    if (this.#over) return;
    try {
      this.#take(message);
    } catch (error) {
      // A session that breaks the contract cannot be trusted with anything that follows.
      this.#breach = `the plugin broke the contract: ${errorLine(error)}`;
      this.#outbox.fail(status.INVALID_ARGUMENT, errorLine(error));
      this.#end();
    }
  }

  #take(message: Buffer): void {
    const { kind } = decodeMessage(PluginMessageSchema, message);
    switch (kind.case) {
      case "reply":
        this.#takeReply(kind.value, message.length);
        return;
      case "call":
        this.#takeCall(kind.value);
        return;
      case "heartbeat":
        this.#lastHeartbeat = heartbeatFromProto(kind.value, this.#options.owns);
        this.#options.onHeartbeat();
        return;
      case "logBatch":
        this.#options.onLog(kind.value);
        return;
      case "event":
        takeEvent(kind.value, this.#options);
        return;
      case "shutdownAck":
        this.#shutdownAck.resolve();
        return;
      case "hello":
        throw protocolError("Hello came twice");
      default:
      // Metrics, and kinds of a newer contract: not for this version.
    }
  }

  #takeReply(reply: Reply, bytes: number): void {
    // A late reply (after a timeout) is ignored.
    const open = this.#open.get(reply.id);
    if (open === undefined) return;
    const joined = open.parts.join(reply, bytes);
    if (joined === "more") return;
    const { kind } = joined;
    if (kind.case !== open.kind && kind.case !== "failure") {
      throw protocolError(`a reply to ${wordsFor(open.kind)} holds ${kind.case ?? "nothing"}`);
    }
    open.reply.resolve(joined);
  }

  #takeCall(call: Call): void {
    if (this.#openCalls >= limits.openCallsMax) {
      throw protocolError(`more than ${limits.openCallsMax} calls are open`);
    }
    this.#openCalls += 1;
    void this.#answer(call);
  }

  /** Never rejects: what cannot be sent must not end the host. */
  async #answer(call: Call): Promise<void> {
    try {
      await answerCall(call, this.#options, async (value) => {
        // I5: an answer is sent only when there is room, so a plugin that asks without reading keeps
        // its calls open. One that was sent may be read, and the next call made, before the host
        // learns that there is room again; so sending it ends the call.
        while (this.#outbox.isFull) await this.#outbox.drained();
        this.#send({ case: "answer", value });
      });
    } catch (error) {
      this.#options.logger.error({ err: error }, "a call of a plugin could not be answered");
    }
    this.#openCalls -= 1;
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#outbox.end();
    this.#ended.resolve();
  }
}

/** Why a session of this plugin cannot be had; undefined when it can. */
export function versionProblem({ protocolMin, protocolMax }: Hello): string | undefined {
  if (protocolMin <= protocolVersion && protocolMax >= protocolVersion) return undefined;
  return `it speaks protocol ${protocolMin} to ${protocolMax}, this host speaks ${protocolVersion}`;
}

/** Tells a stranger why it is not let in, and ends its stream. */
export function rejectSession(call: ByteStream, code: string, text: string): void {
  const value = { code, text, protocolMin: protocolVersion, protocolMax: protocolVersion };
  const message = create(HostMessageSchema, { kind: { case: "reject", value } });
  call.write(Buffer.from(toBinary(HostMessageSchema, message)));
  call.end();
}

type HostKind = NonNullable<MessageInitShape<typeof HostMessageSchema>["kind"]>;
type WelcomeInit = Extract<HostKind, { case: "welcome" }>["value"];

/** `startTask` as `StartTask`. */
function wordsFor(kind: RequestCase): string {
  return `${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
}
