import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type ByteStream, Channel } from "./channel.ts";
import { realClock } from "./clock.ts";
import { ConnectorCalls, findConnector, findStage, replyFailure } from "./connector-calls.ts";
import { abortReason, deferred } from "./deferred.ts";
import type { OpenStageRequest, StartTaskRequest } from "./gen/bulkhead/plugin/v1/connector_pb.ts";
import {
  HostMessageSchema,
  PluginMessageSchema,
  type Request,
  type Shutdown,
  type Welcome,
} from "./gen/bulkhead/plugin/v1/session_pb.ts";
import { HostCalls } from "./host-calls.ts";
import { type Launch, protocolVersion } from "./launch.ts";
import { LogBuffer } from "./log.ts";
import { MetricRegistry } from "./metrics.ts";
import type { Plugin } from "./plugin.ts";
import { RunningStage } from "./running-stage.ts";
import { SinkTask } from "./sink-task.ts";
import { SourceTask } from "./source-task.ts";
import type { RunningTask, TaskHost } from "./task-host.ts";
import { TaskStream } from "./task-stream.ts";
import { sdkVersion } from "./version.ts";

type MessageKind = NonNullable<MessageInitShape<typeof PluginMessageSchema>["kind"]>;

/** Why the session is over. */
export interface SessionEnd {
  /** The host asked for it. */
  readonly expected: boolean;
  readonly reason: string;
}

/** A request that has no reply yet. */
interface OpenRequest {
  readonly connector: string;
  /** It runs after those of its connector that came before. */
  readonly queues: boolean;
  readonly cancel: AbortController;
}

const capabilities = ["canonical_json", "stages"];

/** The one stream to the host, open for the plugin's whole life; never dialled again. */
export class Session {
  readonly #plugin: Plugin;
  readonly #launch: Launch;
  readonly #channel: Channel;
  readonly #stream: ByteStream;
  readonly #log = new LogBuffer();
  readonly #metrics = new MetricRegistry();
  readonly #calls: HostCalls;
  readonly #connectors: ConnectorCalls;
  readonly #tasks = new Set<RunningTask>();
  /** By the host's ids; those that are closing too. */
  readonly #stages = new Map<string, RunningStage>();
  readonly #requests = new Map<bigint, OpenRequest>();
  /** Requests of one connector run in order. */
  readonly #turns = new Map<string, Promise<void>>();
  readonly #ended = deferred<SessionEnd>();
  #heartbeat: NodeJS.Timeout | undefined;
  #heartbeats = 0n;
  #blocked = false;
  #over = false;
  #shutdown: string | undefined;

  constructor(plugin: Plugin, launch: Launch) {
    this.#plugin = plugin;
    this.#launch = launch;
    this.#channel = new Channel(launch);
    this.#calls = new HostCalls((value) => this.#send({ case: "call", value }));
    this.#connectors = new ConnectorCalls({
      plugin,
      log: this.#log,
      calls: this.#calls,
      sendEvent: (value) => this.#send({ case: "event", value }),
    });
    this.#stream = this.#channel.open("Session");
    this.#stream.on("data", (bytes: Buffer) => this.#onMessage(bytes));
    this.#stream.on("drain", () => {
      this.#blocked = false;
      this.#log.flush();
    });
    this.#stream.on("error", (error) => this.end({ expected: false, reason: error.message }));
    this.#stream.on("end", () =>
      this.end({ expected: false, reason: "the host ended the session" }),
    );
    this.#sayHello();
  }

  /** Resolves when the session is over; user code may still be on its way out. */
  get ended(): Promise<SessionEnd> {
    return this.#ended.promise;
  }

  /** Resolves when no user code runs any more. */
  async settled(): Promise<void> {
    const running = [...this.#tasks, ...this.#stages.values()];
    await Promise.all([
      ...this.#turns.values(),
      ...running.map((one) => one.done as Promise<unknown>),
    ]);
  }

  /** No further user call; what runs is told by its signal. */
  end(end: SessionEnd): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#heartbeat);
    const known: SessionEnd =
      this.#shutdown === undefined ? end : { expected: true, reason: this.#shutdown };
    for (const open of this.#requests.values()) open.cancel.abort(abortReason(known.reason));
    for (const task of this.#tasks) task.abandon(known.reason);
    for (const stage of this.#stages.values()) stage.abandon(known.reason);
    this.#connectors.abandon(known.reason);
    this.#calls.close(known.reason);
    this.#stream.cancel();
    this.#channel.close();
    this.#ended.resolve(known);
  }

  #sayHello(): void {
    this.#send({
      case: "hello",
      value: {
        token: this.#launch.token,
        protocolMin: protocolVersion,
        protocolMax: protocolVersion,
        sdk: { language: "typescript", name: "@bulkhead/sdk", version: sdkVersion },
        plugin: {
          name: this.#plugin.name,
          version: this.#plugin.version,
          classes: this.#plugin.classes.map((one) => one.definition.class),
        },
        capabilities,
        pid: process.pid,
      },
    });
  }

  #onMessage(bytes: Buffer): void {
    if (this.#over) return;
    const { kind } = fromBinary(HostMessageSchema, bytes);
    switch (kind.case) {
      case "welcome":
        this.#onWelcome(kind.value);
        return;
      case "reject":
        this.end({
          expected: false,
          reason: `the host rejected this plugin: ${kind.value.text} (${kind.value.code})`,
        });
        return;
      case "request":
        this.#onRequest(kind.value);
        return;
      case "cancel":
        this.#requests
          .get(kind.value.requestId)
          ?.cancel.abort(abortReason("the host cancelled the request"));
        return;
      case "answer":
        this.#calls.answer(kind.value);
        return;
      case "setLogLevel":
        this.#log.setLevel(kind.value.logger, kind.value.level);
        return;
      case "shutdown":
        this.#onShutdown(kind.value);
        return;
    }
  }

  #onWelcome(welcome: Welcome): void {
    for (const { logger, level } of welcome.logLevels) this.#log.setLevel(logger, level);
    this.#log.connect((value) => {
      this.#send({ case: "logBatch", value });
      return !this.#blocked && !this.#over;
    });
    const everyMs = Number(welcome.heartbeatIntervalMs);
    if (everyMs > 0) {
      this.#heartbeat = setInterval(() => this.#sendHeartbeat(), everyMs);
      this.#sendHeartbeat();
    }
  }

  #sendHeartbeat(): void {
    // A host that does not read gets no pile of them: the next one says all that these would.
    if (this.#blocked) return;
    const cpu = process.cpuUsage();
    this.#heartbeats += 1n;
    this.#send({
      case: "heartbeat",
      value: {
        seq: this.#heartbeats,
        rssBytes: BigInt(process.memoryUsage.rss()),
        cpuMs: BigInt(Math.round((cpu.user + cpu.system) / 1_000)),
        tasks: Array.from(this.#tasks, (task) => task.heartbeat()),
      },
    });
    const metrics = this.#metrics.batch();
    if (metrics !== undefined) this.#send({ case: "metricBatch", value: metrics });
  }

  #onRequest(request: Request): void {
    const cancel = new AbortController();
    const { kind, connector } = request;
    if (kind.case === "stopConnector") this.#cancelTurns(connector);
    const atOnce = this.#servedAtOnce(request, cancel.signal);
    this.#requests.set(request.id, { connector, queues: atOnce === undefined, cancel });
    if (atOnce !== undefined) {
      void this.#reply(request, cancel, atOnce);
      return;
    }
    const before = this.#turns.get(connector) ?? Promise.resolve();
    const turn = before.then(() =>
      this.#reply(request, cancel, () => this.#connectors.serve(request, cancel.signal)),
    );
    this.#turns.set(connector, turn);
    void turn.then(() => {
      if (this.#turns.get(connector) === turn) this.#turns.delete(connector);
    });
  }

  /** What begins without waiting for the connector's other requests. */
  #servedAtOnce(
    { kind, connector }: Request,
    signal: AbortSignal,
  ): (() => Promise<ReplyKind>) | undefined {
    switch (kind.case) {
      case "startTask":
        return () => this.#startTask(connector, kind.value, signal);
      case "openStage":
        return () => this.#openStage(connector, kind.value, signal);
      case "closeStage":
        return () => this.#closeStage(kind.value.stageId);
      default:
        return undefined;
    }
  }

  /** A stop does not wait for what runs before it. */
  #cancelTurns(connector: string): void {
    for (const open of this.#requests.values()) {
      if (open.queues && open.connector === connector) {
        open.cancel.abort(abortReason("the connector stops"));
      }
    }
  }

  /** Exactly one reply, also after Cancel and then at once; never rejects. */
  async #reply(
    request: Request,
    cancel: AbortController,
    serve: () => Promise<ReplyKind>,
  ): Promise<void> {
    const cancelled = new Promise<never>((_, reject) => {
      cancel.signal.addEventListener("abort", () => reject(cancel.signal.reason), { once: true });
    });
    let kind: ReplyKind;
    try {
      cancel.signal.throwIfAborted();
      kind = await Promise.race([serve(), cancelled]);
    } catch (error) {
      kind = { case: "failure", value: replyFailure(error, cancel.signal) };
    }
    this.#requests.delete(request.id);
    this.#send(replyOf(request.id, kind));
  }

  async #startTask(connector: string, request: StartTaskRequest, signal: AbortSignal) {
    const found = findConnector(this.#plugin, request.className);
    const method = found.kind === "source" ? "SourceTask" : "SinkTask";
    const log = this.#log.log({ logger: found.definition.class, connector, task: request.task });
    const { metrics, close } = this.#metrics.open(connector, request.task, log);
    const host: TaskHost = {
      connector,
      request,
      messageBytesMax: this.#launch.messageBytesMax,
      log,
      metrics,
      offsets: this.#calls.offsets(connector, request.task),
      clock: realClock,
      openStream: (onMessage) =>
        new TaskStream(this.#channel.open(method, request.streamAddress), onMessage),
    };
    const task =
      found.kind === "source"
        ? new SourceTask(host, found.definition)
        : new SinkTask(host, found.definition);
    this.#tasks.add(task);
    void task.done.then(() => {
      close();
      this.#tasks.delete(task);
    });
    const giveUp = () => task.cutOff("the start was cancelled");
    signal.addEventListener("abort", giveUp, { once: true });
    await task.opened;
    signal.removeEventListener("abort", giveUp);
    return { case: "startTask", value: {} } as const;
  }

  async #openStage(connector: string, request: OpenStageRequest, signal: AbortSignal) {
    const { stageId, task, streamAddress } = request;
    const found = findStage(this.#plugin, request.className);
    if (this.#stages.has(stageId)) throw new Error(`stage ${stageId} is open already`);
    const stage = new RunningStage(
      {
        connector,
        request,
        messageBytesMax: this.#launch.messageBytesMax,
        log: this.#log.log({ logger: found.definition.class, connector, task }),
        openStream: (onMessage) =>
          new TaskStream(this.#channel.open("Stage", streamAddress), onMessage),
      },
      found,
    );
    this.#stages.set(stageId, stage);
    void stage.done.then(() => this.#stages.delete(stageId));
    const giveUp = () => stage.cutOff("the opening was cancelled");
    signal.addEventListener("abort", giveUp, { once: true });
    await stage.opened;
    signal.removeEventListener("abort", giveUp);
    return { case: "openStage", value: {} } as const;
  }

  /** One that is closed by itself already is no fault: the host could not know. */
  async #closeStage(stageId: string): Promise<ReplyKind> {
    const failure = await this.#stages.get(stageId)?.close();
    if (failure !== undefined) return { case: "failure", value: failure };
    return { case: "closeStage", value: {} };
  }

  #onShutdown(shutdown: Shutdown): void {
    this.#shutdown = shutdown.reason === "" ? "the host shut the plugin down" : shutdown.reason;
    this.#log.flush();
    this.#send({ case: "shutdownAck", value: {} });
    this.#stream.end();
    // The host closes its side; whether or not it does, the end comes.
    setTimeout(() => this.end({ expected: true, reason: "" }), 1_000).unref();
  }

  #send(kind: MessageKind): void {
    if (this.#over || !this.#stream.writable) return;
    const message = toBinary(PluginMessageSchema, create(PluginMessageSchema, { kind }));
    if (!this.#stream.write(message)) this.#blocked = true;
  }
}

type ReplyKind = NonNullable<ReplyMessage["value"]["kind"]>;
type ReplyMessage = Extract<MessageKind, { case: "reply" }>;

function replyOf(id: bigint, kind: ReplyKind): ReplyMessage {
  return { case: "reply", value: { id, kind } } as ReplyMessage;
}
