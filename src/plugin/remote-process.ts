/** A plugin process as the rest of the host sees it: requests over its session, tasks as streams. */

import { randomUUID } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { within } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";
import { isLate, TaskError } from "../base/error.ts";
import { describedManifest } from "./described-manifest.ts";
import { failureError } from "./failure-error.ts";
import { failureFromProto, offsetsAlteredFromProto, validationFromProto } from "./from-proto.ts";
import type { Expectation, Gateway } from "./gateway.ts";
import {
  type ClassDescription,
  DescribeRequestSchema,
  DescribeResultSchema,
  ValidateMode,
  ValidateRequestSchema,
} from "./gen/bulkhead/plugin/v1/config_pb.ts";
import {
  AlterOffsetsRequestSchema,
  CloseStageRequestSchema,
  StartConnectorRequestSchema,
  StopConnectorRequestSchema,
  TaskConfigsRequestSchema,
} from "./gen/bulkhead/plugin/v1/connector_pb.ts";
import type { Reply } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import type {
  ConnectorConfig,
  ExitReason,
  Failure,
  OffsetsAltered,
  OffsetsChange,
  PluginManifest,
  PluginProcess,
  SinkStream,
  SourceStream,
  StageStart,
  StageStream,
  TaskStart,
  ValidationAnswer,
} from "./plugin.ts";
import type { PluginEnd } from "./plugin-end.ts";
import { exitWords } from "./process.ts";
import { protocolError } from "./protocol-error.ts";
import { RemoteSink } from "./remote-sink.ts";
import { RemoteSource } from "./remote-source.ts";
import { RemoteStage } from "./remote-stage.ts";
import type { RequestCase, RequestOf, RequestOptions, ResultOf, Session } from "./session.ts";
import type { TaskStreamOptions } from "./task-stream.ts";
import {
  alterOffsetsToProto,
  configToProto,
  openStageToProto,
  startTaskToProto,
} from "./to-proto.ts";

export interface RemoteProcessOptions {
  gateway: Gateway;
  plugin: PluginManifest;
  requestMsMax: number;
  /** For the start of a task, whatever its start says. */
  startMsMax?: number;
  stopMsMax: number;
  messageBytesMax: number;
  /** Ends the process, as something in it does not stop; resolves after its exit. */
  condemn: (reason: string) => Promise<void>;
}

/** I5: each is asked for by itself. */
const describedClassesMax = 1_000;
const describedBytesMax = 8 * 1_024 * 1_024;

/** What both kinds of stream have while a task starts. */
interface Starting {
  readonly started: Promise<Failure | undefined>;
  readonly ended: Promise<string>;
  stop(timeoutMs: number): Promise<Failure | undefined>;
}

/** A task or stage that is to start. */
interface StreamStart {
  readonly connector: string;
  readonly className: string;
  readonly startMsMax: number;
  readonly taskName: string;
  /** What messages call it. */
  readonly called: string;
}

type Expect<S> = (
  session: Session,
  options: TaskStreamOptions,
  opened: (stream: S) => void,
) => Expectation;

/** Asks the plugin to open the stream that the ticket is for. */
type Ask = (ticket: string, options: RequestOptions) => Promise<unknown>;

export class RemoteProcess implements PluginProcess {
  readonly #child: PluginEnd;
  readonly #options: RemoteProcessOptions;

  constructor(child: PluginEnd, options: RemoteProcessOptions) {
    this.#child = child;
    this.#options = options;
  }

  get pid(): number {
    return this.#child.pid;
  }

  get plugin(): PluginManifest {
    return this.#options.plugin;
  }

  get exited(): Promise<ExitReason> {
    return this.#child.exited;
  }

  async startConnector(
    connector: string,
    className: string,
    config: ConnectorConfig,
  ): Promise<void> {
    const value = create(StartConnectorRequestSchema, {
      className,
      config: configToProto(config),
    });
    await this.#mustHave(className, "startConnector");
    await this.#request("startConnector", value, { connector });
  }

  async stopConnector(connector: string): Promise<void> {
    const session = this.#child.stopSession ?? (await this.#session("stopConnector"));
    session.cancelRequests(connector);
    const options = { connector, timeoutMs: this.#options.stopMsMax };
    const value = create(StopConnectorRequestSchema);
    resultOf("stopConnector", await session.request("stopConnector", value, options));
  }

  async taskConfigs(
    connector: string,
    tasksMax: number,
    previous: readonly ConnectorConfig[],
  ): Promise<{ taskClass: string; configs: readonly ConnectorConfig[] }> {
    const value = create(TaskConfigsRequestSchema, {
      tasksMax,
      previous: previous.map((config) => ({ config: configToProto(config) })),
    });
    const { taskClass, configs } = await this.#request("taskConfigs", value, { connector });
    return { taskClass, configs: configs.map(({ config }) => config) };
  }

  async validate(
    className: string,
    config: ConnectorConfig,
    signal: AbortSignal,
  ): Promise<ValidationAnswer> {
    const value = create(ValidateRequestSchema, {
      className,
      config: configToProto(config),
      mode: ValidateMode.LIVE,
    });
    const connector = config["name"] ?? "";
    await this.#mustHave(className, "validate");
    const result = await this.#request("validate", value, { connector, signal });
    if (result.failure !== undefined) {
      throw failureError("validate a config", failureFromProto(result.failure));
    }
    return validationFromProto(result);
  }

  /** @throws TaskError; the message says what is wrong where nothing usable is described */
  async describe(signal: AbortSignal): Promise<PluginManifest> {
    const { plugin: manifest } = this.#options;
    const { plugin } = await this.#session("describe");
    if (plugin.classes.length > describedClassesMax) {
      throw protocolError(
        `it has ${plugin.classes.length} classes, more than ${describedClassesMax}`,
      );
    }
    // I5: one deadline and one size for all of them together.
    const endMs = performance.now() + this.#options.requestMsMax;
    const classes: ClassDescription[] = [];
    let bytes = 0;
    for (const name of plugin.classes) {
      const timeoutMs = Math.max(1, Math.ceil(endMs - performance.now()));
      const value = create(DescribeRequestSchema, { className: name });
      const options = { connector: "", signal, timeoutMs };
      const result = await this.#request("describe", value, options);
      bytes += toBinary(DescribeResultSchema, result).length;
      if (bytes > describedBytesMax) {
        throw protocolError(`its classes are described in more than ${describedBytesMax} bytes`);
      }
      classes.push(...result.classes);
    }
    return describedManifest(manifest, plugin, classes);
  }

  /** A plugin that does not know the request has no offsets of its own. */
  async alterOffsets(change: OffsetsChange, signal: AbortSignal): Promise<OffsetsAltered> {
    const { connector } = change;
    const timeoutMs = this.#options.requestMsMax;
    const session = await this.#session("alter offsets");
    const value = create(AlterOffsetsRequestSchema, alterOffsetsToProto(change));
    const options = { connector, timeoutMs, signal };
    const reply = await session.request("alterOffsets", value, options);
    if (reply.case === "failure" && failureFromProto(reply.value).code === "unsupported") {
      return "unsupported";
    }
    return offsetsAlteredFromProto(resultOf("alterOffsets", reply));
  }

  startSourceTask(start: TaskStart, signal: AbortSignal): Promise<SourceStream> {
    const { gateway } = this.#options;
    return this.#startTask<RemoteSource>(start, signal, (session, options, opened) =>
      gateway.expectSource((call, hello) => {
        const canonicalJson = session.has("canonical_json");
        opened(new RemoteSource(call, hello, { ...options, canonicalJson }));
      }),
    );
  }

  startSinkTask(start: TaskStart, signal: AbortSignal): Promise<SinkStream> {
    const { gateway } = this.#options;
    return this.#startTask<RemoteSink>(start, signal, (_session, options, opened) =>
      gateway.expectSink((call) => opened(new RemoteSink(call, options))),
    );
  }

  /** A manifest may promise what its program has not; a program need not say what it has. */
  async #mustHave(className: string, doing: string): Promise<void> {
    const { classes } = (await this.#session(doing)).plugin;
    if (classes.length === 0 || classes.includes(className)) return;
    const { name } = this.plugin;
    const had = classes.slice(0, 20).join(", ").slice(0, 1_000);
    throw new TaskError(
      "plugin.launch_failed",
      `the plugin.json of ${name} promises the class ${className}, but its program has only ${had}: ` +
        "build the program again, or have it write its plugin.json (its argument manifest, with an SDK)",
    );
  }

  async openStage(start: StageStart, signal: AbortSignal): Promise<StageStream> {
    const { gateway, plugin } = this.#options;
    const { connector, task, alias, kind } = start;
    const taskName = `${connector}-${task}`;
    const called = `stage ${alias === "" ? start.className : alias} of ${taskName}`;
    const session = await this.#session(`open ${called}`);
    if (!session.has("stages")) {
      const text = `cannot open ${called}: plugin ${plugin.name} cannot run transforms, predicates or converters`;
      const hint = "it lacks the capability `stages`; build it with a newer SDK";
      throw new TaskError("plugin.request_failed", text, { hint });
    }
    const stageId = randomUUID();
    const askToClose = (timeoutMs: number) =>
      this.#closeStage(session, connector, stageId, timeoutMs);
    return this.#startStream<RemoteStage>(
      { ...start, taskName, called },
      signal,
      (_session, options, opened) =>
        gateway.expectStage((call) =>
          opened(new RemoteStage(call, { ...options, kind, askToClose })),
        ),
      (ticket, options) =>
        this.#request("openStage", openStageToProto(start, stageId, ticket), options),
    );
  }

  /** Resolves with what the user's stop threw. */
  async #closeStage(
    session: Session,
    connector: string,
    stageId: string,
    timeoutMs: number,
  ): Promise<Failure | undefined> {
    const value = create(CloseStageRequestSchema, { stageId });
    const options = { connector, timeoutMs, atOnce: true };
    const reply = await session.request("closeStage", value, options);
    return reply.case === "failure" ? failureFromProto(reply.value) : undefined;
  }

  #startTask<S extends Starting>(
    start: TaskStart,
    signal: AbortSignal,
    expect: Expect<S>,
  ): Promise<S> {
    const taskName = `${start.connector}-${start.task}`;
    const what = { ...start, taskName, called: `task ${taskName}` };
    return this.#startStream(what, signal, expect, (ticket, options) =>
      this.#request("startTask", startTaskToProto(start, ticket), options),
    );
  }

  async #startStream<S extends Starting>(
    what: StreamStart,
    signal: AbortSignal,
    expect: Expect<S>,
    ask: Ask,
  ): Promise<S> {
    const { taskName, called } = what;
    const session = await this.#session(`start ${called}`);
    await this.#mustHave(what.className, `start ${called}`);
    const opened = deferred<S>();
    let stream: S | undefined;
    const { messageBytesMax } = this.#options;
    const whyGone = () => this.#child.whyGone();
    const { streamsOver } = this.#child;
    const common = { taskName, called, messageBytesMax, whyGone, streamsOver };
    const ticket = expect(session, common, (one) => {
      stream = one;
      opened.resolve(one);
    });
    try {
      return await this.#untilStarted(what, signal, ask, ticket, opened.promise);
    } catch (error) {
      ticket.void();
      if (stream !== undefined) await this.#giveUp(stream, called);
      throw error;
    }
  }

  /** Reply, stream and Started may come in any order but the last; all within one deadline. */
  async #untilStarted<S extends Starting>(
    what: StreamStart,
    signal: AbortSignal,
    ask: Ask,
    ticket: Expectation,
    opened: Promise<S>,
  ): Promise<S> {
    const { called, connector } = what;
    const late = deferred<never>();
    const startMsMax = this.#options.startMsMax ?? what.startMsMax;
    const timer = setTimeout(() => {
      const text = `${called} did not start within ${startMsMax} ms`;
      late.reject(new TaskError("plugin.request_timeout", text));
    }, startMsMax);
    const abort = () => late.reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    try {
      const options = { connector, timeoutMs: startMsMax, signal, atOnce: true };
      const replied = ask(ticket.secret, options);
      replied.catch((error: unknown) => late.reject(error));
      const stream = await Promise.race([opened, late.promise]);
      const failure = await Promise.race([stream.started, late.promise]);
      if (failure !== undefined) throw failureError(`start ${called}`, failure);
      return stream;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }

  /**
   * A task that did not start is stopped all the same; one that does not stop by its deadline takes
   * all with it. A stream that just ended says nothing about its neighbours.
   */
  async #giveUp(stream: Starting, called: string): Promise<void> {
    const over = await within(stream.ended, 0, undefined);
    if (over !== undefined) return;
    try {
      await stream.stop(this.#options.stopMsMax);
    } catch (error) {
      if (!isLate(error)) return;
      await this.#options.condemn(`${called} neither started nor stopped in time`);
    }
  }

  async #request<C extends RequestCase>(
    kind: C,
    value: RequestOf<C>,
    options: Pick<RequestOptions, "connector"> & Partial<RequestOptions>,
  ): Promise<ResultOf<C>> {
    const session = await this.#session(kind);
    const timeoutMs = this.#options.requestMsMax;
    return resultOf(kind, await session.request(kind, value, { timeoutMs, ...options }));
  }

  async #session(doing: string): Promise<Session> {
    const { session } = this.#child;
    if (session !== undefined) return session;
    if (this.#child.at === "condemned") {
      const text = `cannot ${doing}: plugin process ${this.pid} has to end and takes no more work`;
      throw new TaskError("plugin.condemned", text);
    }
    const text = exitWords(await this.exited);
    throw new TaskError("plugin.gone", `cannot ${doing}: ${text}`);
  }
}

function resultOf<C extends RequestCase>(kind: C, reply: Reply["kind"]): ResultOf<C> {
  if (reply.case === "failure") throw failureError(kind, failureFromProto(reply.value));
  if (reply.case !== kind) throw protocolError(`the reply to ${kind} is of kind ${reply.case}`);
  return reply.value as ResultOf<C>;
}
