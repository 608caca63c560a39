import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { ConfigKeys } from "./config.ts";
import { parseConfig } from "./config-parse.ts";
import { Credit } from "./credit.ts";
import { abortReason, deferred } from "./deferred.ts";
import { toFailure } from "./failure.ts";
import { TaskActivity } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import {
  type Acked,
  type Committed,
  HostSourceMessageSchema,
  OffsetMode,
  SourceTaskMessageSchema,
} from "./gen/bulkhead/plugin/v1/source_pb.ts";
import { parseOffset } from "./host-calls.ts";
import type { SourceContext, SourceDefinition } from "./source.ts";
import { SourceOffsets } from "./source-offsets.ts";
import { pollSource } from "./source-poll.ts";
import type { SourceRecord } from "./source-record.ts";
import { SourceSender } from "./source-sender.ts";
import type { RunningTask, TaskHost } from "./task-host.ts";
import { TaskLife } from "./task-life.ts";
import { TaskMeter } from "./task-meter.ts";
import type { TaskStream } from "./task-stream.ts";
import { UserCallbacks } from "./user-callbacks.ts";

type Context = SourceContext<ConfigKeys, unknown>;
type MessageKind = NonNullable<MessageInitShape<typeof SourceTaskMessageSchema>["kind"]>;

/** One source task: its stream to the host, and the user's generator behind it. */
export class SourceTask implements RunningTask {
  readonly opened: Promise<void>;
  readonly done: Promise<void>;
  readonly #host: TaskHost;
  readonly #definition: SourceDefinition<ConfigKeys, unknown>;
  readonly #stream: TaskStream;
  readonly #credit = new Credit();
  readonly #meter: TaskMeter;
  readonly #cancel = new AbortController();
  readonly #offsets: SourceOffsets;
  readonly #sender: SourceSender;
  readonly #stopAsked = deferred();
  readonly #callbacks = new UserCallbacks();
  readonly #unacked: { seq: number; records: readonly SourceRecord[] }[] = [];
  #context: Context | undefined;
  readonly #life = new TaskLife();

  constructor(host: TaskHost, definition: SourceDefinition<ConfigKeys, unknown>) {
    this.#host = host;
    this.#definition = definition;
    this.#meter = new TaskMeter(host.connector, host.request.task);
    this.#offsets = new SourceOffsets(host.offsets);
    this.#stream = host.openStream((bytes) => this.#onMessage(bytes));
    this.#sender = new SourceSender({
      stream: this.#stream,
      credit: this.#credit,
      meter: this.#meter,
      offsets: this.#offsets,
      messageBytesMax: host.messageBytesMax,
      offsetMode: definition.offsets ?? "per-record",
      onSent: definition.acked ? (seq, records) => this.#unacked.push({ seq, records }) : undefined,
    });
    const offsetMode = definition.offsets === "last" ? OffsetMode.LAST : OffsetMode.PER_RECORD;
    this.#send({ case: "hello", value: { ticket: host.request.ticket, offsetMode } });
    this.opened = this.#stream.opened;
    this.done = this.#run().catch((error: unknown) => {
      host.log.error("the task's stream broke", error instanceof Error ? error : { error });
    });
    void this.#stream.ended.then((reason) => this.cutOff(reason));
  }

  heartbeat(): ReturnType<TaskMeter["heartbeat"]> {
    return this.#meter.heartbeat();
  }

  cutOff(reason: string): void {
    if (!this.#life.cutOff()) return;
    this.#end(reason);
    this.#stopAsked.resolve();
    this.#stream.cancel();
  }

  abandon(reason: string): void {
    this.#life.abandon();
    this.cutOff(reason);
  }

  async #run(): Promise<void> {
    try {
      await this.#stream.opened;
    } catch {
      return;
    }
    try {
      const context = await this.#start();
      if (context !== undefined) {
        await pollSource({
          read: () => this.#definition.read(context),
          sender: this.#sender,
          callbacks: this.#callbacks,
          meter: this.#meter,
          log: this.#host.log,
          clock: this.#host.clock,
          signal: this.#cancel.signal,
        });
      }
    } catch (error) {
      if (!this.#cancel.signal.aborted) {
        this.#sender.sendWhatHasCredit();
        this.#send({ case: "failure", value: toFailure(error) });
        this.#meter.overcame();
        this.#meter.now(TaskActivity.IDLE);
        this.#end("the task has failed");
      }
    }
    await this.#stopAsked.promise;
    await this.#stop();
  }

  /** The context for everything that follows; undefined = stopped before or while starting. */
  async #start(): Promise<Context | undefined> {
    const { connector, request, log, metrics } = this.#host;
    const texts = { ...request.connectorConfig, ...request.taskConfig };
    const context: Omit<Context, "state"> & { state: unknown } = {
      connector,
      task: request.task,
      config: parseConfig(this.#definition.config ?? {}, texts),
      texts,
      signal: this.#cancel.signal,
      log,
      metrics,
      offset: (partition) => this.#offsets.offset(partition),
      offsets: (partitions) => this.#offsets.offsets(partitions),
      state: undefined,
    };
    if (this.#cancel.signal.aborted) return undefined;
    context.state = await this.#definition.start?.(context);
    // Only what was started is stopped.
    this.#context = context;
    if (this.#cancel.signal.aborted) return undefined;
    this.#send({ case: "started", value: {} });
    this.#meter.now(TaskActivity.IDLE);
    return context;
  }

  /** The last acked and committed reach the user before its `stop`, which is the last user call. */
  async #stop(): Promise<void> {
    this.#meter.now(TaskActivity.STOPPING);
    await this.#callbacks.settled();
    let failure: ReturnType<typeof toFailure> | undefined;
    try {
      const context = this.#context;
      if (context && (await this.#life.mayStop())) await this.#definition.stop?.(context);
    } catch (error) {
      failure = toFailure(error);
      if (this.#life.isCutOff) this.#host.log.error(`stopping failed: ${failure.text}`);
    }
    this.#send({ case: "stopped", value: failure === undefined ? {} : { failure } });
    this.#stream.finish();
  }

  #onMessage(bytes: Buffer): void {
    const { kind } = fromBinary(HostSourceMessageSchema, bytes);
    switch (kind.case) {
      case "credit":
        this.#credit.add(Number(kind.value.records), Number(kind.value.bytes));
        this.#sender.onCredit();
        return;
      case "acked":
        this.#onAcked(kind.value);
        return;
      case "committed":
        this.#onCommitted(kind.value);
        return;
      case "pause":
        this.#sender.pause();
        return;
      case "resume":
        this.#sender.resume();
        return;
      case "drain":
        // Final: what has no credit is dropped and read again by the next one.
        this.#sender.sendWhatHasCredit();
        this.#end("the host drains the task");
        this.#send({ case: "drained", value: {} });
        return;
      case "stop":
        this.#end("the host stops the task");
        this.#stopAsked.resolve();
        return;
    }
  }

  /** No poll, no record from here on. */
  #end(reason: string): void {
    this.#sender.close();
    this.#callbacks.close();
    if (!this.#cancel.signal.aborted) this.#cancel.abort(abortReason(reason));
  }

  #onAcked(acked: Acked): void {
    const through = Number(acked.through);
    const records: SourceRecord[] = [];
    while (this.#unacked.length > 0 && this.#unacked[0]!.seq <= through) {
      records.push(...this.#unacked.shift()!.records);
    }
    if (records.length === 0) return;
    this.#callback("acked", (context) => this.#definition.acked?.(records, context));
  }

  #onCommitted(committed: Committed): void {
    if (this.#definition.committed === undefined) return;
    this.#callback("committed", (context) => {
      const offsets = committed.offsets.map((one) => ({
        partition: parseOffset(one.partition),
        offset: parseOffset(one.offset),
      }));
      return this.#definition.committed?.(offsets, context);
    });
  }

  /** As in Connect, an exception of these is logged and no more. */
  #callback(name: string, call: (context: Context) => void | Promise<void> | undefined): void {
    this.#callbacks.run(async () => {
      if (this.#life.abandoned || this.#context === undefined) return;
      try {
        await call(this.#context);
      } catch (error) {
        this.#host.log.error(`${name} failed`, error instanceof Error ? error : { error });
      }
    });
  }

  #send(kind: MessageKind): void {
    this.#stream.write(
      toBinary(SourceTaskMessageSchema, create(SourceTaskMessageSchema, { kind })),
    );
  }
}
