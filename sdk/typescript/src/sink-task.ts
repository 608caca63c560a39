import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { ConfigKeys } from "./config.ts";
import { parseConfig } from "./config-parse.ts";
import { abortReason, type Deferred, deferred } from "./deferred.ts";
import { ErrantReports } from "./errant-reports.ts";
import { toFailure } from "./failure.ts";
import { TaskActivity } from "./gen/bulkhead/plugin/v1/session_pb.ts";
import {
  type Close,
  type Flush,
  type Open,
  SinkTaskMessageSchema,
} from "./gen/bulkhead/plugin/v1/sink_pb.ts";
import { RetriableError } from "./plugin-error.ts";
import type { PutBatch } from "./put-batch.ts";
import { putResult, recordsOf } from "./put-result.ts";
import { PartitionSet, safeOffsets } from "./safe-offsets.ts";
import type { SinkContext, SinkDefinition, SinkOffset, SinkPartition } from "./sink.ts";
import { SinkInbox, type SinkWork } from "./sink-inbox.ts";
import type { RunningTask, TaskHost } from "./task-host.ts";
import { TaskLife } from "./task-life.ts";
import { TaskMeter } from "./task-meter.ts";
import type { TaskStream } from "./task-stream.ts";

type Context = SinkContext<ConfigKeys, unknown>;
type MessageKind = NonNullable<MessageInitShape<typeof SinkTaskMessageSchema>["kind"]>;

// What the host may have on its way to this task beyond the put that runs.
const creditRecords = 40_000;
const creditBytesMin = 4 * 1024 * 1024;

/** One sink task: its stream to the host, and the user's functions behind one queue. */
export class SinkTask implements RunningTask {
  readonly opened: Promise<void>;
  readonly done: Promise<void>;
  readonly #host: TaskHost;
  readonly #definition: SinkDefinition<ConfigKeys, unknown>;
  readonly #stream: TaskStream;
  readonly #inbox = new SinkInbox();
  readonly #meter: TaskMeter;
  readonly #cancel = new AbortController();
  readonly #reports: ErrantReports;
  readonly #life = new TaskLife();
  readonly #partitions = new PartitionSet();
  // I5: bounded by the credit for puts; the host sends the rest one at a time.
  readonly #work: SinkWork[] = [];
  #wake: Deferred<void> | undefined;
  /** Puts of a lower epoch are dropped: what they hold is sent again. */
  #epoch = 0;
  #timeoutMs: number | undefined;
  #failed = false;
  #stopping = false;
  #context: Context | undefined;

  constructor(host: TaskHost, definition: SinkDefinition<ConfigKeys, unknown>) {
    this.#host = host;
    this.#definition = definition;
    this.#meter = new TaskMeter(host.connector, host.request.task);
    this.#reports = new ErrantReports((value) => this.#send({ case: "errantReport", value }));
    this.#stream = host.openStream((bytes) => this.#onMessage(bytes));
    this.#send({ case: "hello", value: { ticket: host.request.ticket } });
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
    this.#onStop(reason);
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
      await this.#start();
    } catch (error) {
      if (!this.#stopping) this.#fail(error);
    }
    for (;;) {
      const work = await this.#next();
      if (work === undefined) break;
      if (!this.#life.isCutOff) await this.#do(work);
    }
    await this.#stop();
  }

  async #start(): Promise<void> {
    if (this.#stopping) return;
    const context = this.#makeContext();
    context.state = await this.#definition.start?.(context);
    // Only what was started is stopped.
    this.#context = context;
    if (this.#stopping) return;
    this.#send({ case: "started", value: {} });
    const bytes = Math.max(creditBytesMin, this.#host.messageBytesMax);
    this.#giveCredit(creditRecords, bytes);
  }

  #makeContext(): Omit<Context, "state"> & { state: unknown } {
    const { connector, request, log, metrics } = this.#host;
    const texts = { ...request.connectorConfig, ...request.taskConfig };
    return {
      connector,
      task: request.task,
      config: parseConfig(this.#definition.config ?? {}, texts),
      texts,
      signal: this.#cancel.signal,
      log,
      metrics,
      state: undefined,
      rewind: (offsets) => {
        const epoch = this.#nextEpoch();
        this.#send({ case: "rewind", value: { offsets: offsets.map(wireOffset), epoch } });
      },
      pause: (partitions) => {
        const epoch = this.#nextEpoch();
        this.#send({ case: "pause", value: { partitions: partitions.map(wirePartition), epoch } });
      },
      resume: (partitions) => {
        this.#send({ case: "resume", value: { partitions: partitions.map(wirePartition) } });
      },
      requestCommit: () => this.#send({ case: "requestCommit", value: {} }),
      report: async (record, error) => {
        // Without a reporter on the host's side the record's error is the task's.
        if (!request.errantRecordReporter) throw error;
        await this.#reports.report(record, error);
      },
      timeout: (ms) => {
        this.#timeoutMs = ms;
      },
    };
  }

  #onMessage(bytes: Buffer): void {
    let notice: ReturnType<SinkInbox["read"]>;
    try {
      notice = this.#inbox.read(bytes);
    } catch (error) {
      if (!this.#failed)
        this.#fail(new Error("a message of the host broke the contract", { cause: error }));
      return;
    }
    if (notice === undefined) return;
    if (notice.at === "receipt") this.#reports.receipt(notice.receipt);
    else if (notice.at === "stop") this.#onStop("the host stops the task");
    else {
      this.#work.push(notice.work);
      this.#wake?.resolve();
    }
  }

  /** At once: the running call is told, what is queued will be discarded. */
  #onStop(reason: string): void {
    this.#stopping = true;
    this.#cancel.abort(abortReason(reason));
    this.#reports.close(reason);
    this.#wake?.resolve();
  }

  /** The next piece of work, an idle put when time has come, undefined when stopping and empty. */
  async #next(): Promise<SinkWork | undefined> {
    for (;;) {
      const work = this.#work.shift();
      if (work !== undefined) return work;
      if (this.#stopping) return undefined;
      this.#meter.rest();
      const wake = deferred();
      this.#wake = wake;
      const idleMs = this.#idleMs();
      const { clock } = this.#host;
      const takeBack =
        idleMs === undefined ? () => {} : clock.timer(idleMs, () => this.#onIdle(wake));
      await wake.promise;
      takeBack();
      this.#wake = undefined;
    }
  }

  #onIdle(wake: Deferred<void>): void {
    this.#work.push({ at: "idle" });
    wake.resolve();
  }

  /** How long without data until `put` is called with nothing. */
  #idleMs(): number | undefined {
    if (this.#partitions.size === 0 || this.#failed) return undefined;
    const interval = Number(this.#host.request.offsetFlushIntervalMs);
    const most = interval > 0 ? interval : undefined;
    if (this.#timeoutMs === undefined) return most;
    return most === undefined ? this.#timeoutMs : Math.min(this.#timeoutMs, most);
  }

  async #do(work: SinkWork): Promise<void> {
    switch (work.at) {
      case "put":
        return this.#put(work.batch);
      case "open":
        return this.#open(work.open);
      case "close":
        return this.#close(work.close);
      case "flush":
        return this.#flush(work.flush);
      case "idle":
        return this.#putNothing();
    }
  }

  async #put(batch: PutBatch): Promise<void> {
    const context = this.#context;
    let kind: MessageInitShape<typeof SinkTaskMessageSchema>["kind"];
    if (context === undefined || this.#failed || this.#stopping || batch.epoch < this.#epoch) {
      kind = putResult(batch, this.#epoch, { at: "discarded" });
    } else {
      kind = await this.#putNow(batch, context);
    }
    if (kind !== undefined) this.#send(kind);
    this.#giveCredit(Math.max(1, batch.count), batch.costBytes);
  }

  async #putNow(batch: PutBatch, context: Context): Promise<MessageKind> {
    this.#meter.now(TaskActivity.PUTTING);
    this.#meter.recordsIn += batch.count;
    this.#timeoutMs = undefined;
    try {
      const put = this.#definition.put(recordsOf(batch), context);
      if (put !== undefined) await put;
      this.#meter.progress();
      this.#meter.recordsOut += batch.count;
      return putResult(batch, this.#epoch, { at: "ok" });
    } catch (error) {
      if (this.#stopping) return putResult(batch, this.#epoch, { at: "discarded" });
      const result = putResult(batch, this.#epoch, { at: "threw", error });
      if (result.value.kind?.case === "retry") this.#meter.backingOff(toFailure(error));
      if (result.value.kind?.case === "failure") this.#becomeFailed();
      this.#epoch = Number(result.value.epoch);
      return result;
    }
  }

  /** Lets a sink act by time though no data comes. */
  async #putNothing(): Promise<void> {
    const context = this.#context;
    if (context === undefined || this.#failed || this.#stopping) return;
    this.#meter.now(TaskActivity.PUTTING);
    this.#timeoutMs = undefined;
    try {
      await this.#definition.put([], context);
      this.#meter.overcame();
    } catch (error) {
      if (this.#stopping) return;
      if (error instanceof RetriableError) {
        this.#host.log.warn(`a put without records failed, tried again later: ${error.message}`);
        this.#meter.backingOff(toFailure(error));
      } else this.#fail(error);
    }
  }

  async #open(open: Open): Promise<void> {
    this.#meter.now(TaskActivity.OPENING);
    this.#partitions.add(open.partitions);
    const partitions = open.partitions.map((one) => ({
      topic: one.topic,
      partition: one.partition,
      offset: one.offset === undefined ? null : Number(one.offset),
    }));
    const failed = await this.#attempt((context) => this.#definition.open?.(partitions, context));
    this.#send({ case: "opened", value: failed });
  }

  async #close(close: Close): Promise<void> {
    this.#meter.now(TaskActivity.CLOSING);
    this.#partitions.remove(close.partitions);
    const partitions = close.partitions.map(({ topic, partition }) => ({ topic, partition }));
    const failed = await this.#attempt((context) => this.#definition.close?.(partitions, context));
    this.#send({ case: "closed", value: failed });
  }

  async #flush(flush: Flush): Promise<void> {
    this.#meter.now(TaskActivity.FLUSHING);
    const offsets = flush.offsets.map((one) => ({
      topic: one.topic,
      partition: one.partition,
      offset: Number(one.offset ?? 0n),
    }));
    let safe: readonly SinkOffset[] = offsets;
    const failed = await this.#attempt(async (context) => {
      const returned = await this.#definition.flush?.(offsets, context);
      if (returned) safe = safeOffsets(offsets, returned, this.#partitions, this.#host.log);
    });
    if (failed.failure !== undefined) this.#epoch += 1;
    this.#send({
      case: "flushResult",
      value: {
        flushSeq: flush.flushSeq,
        epoch: BigInt(this.#epoch),
        safe: failed.failure === undefined ? safe.map(wireOffset) : [],
        ...failed,
      },
    });
  }

  /** Runs a user function; what it throws is the answer's failure. */
  async #attempt(
    call: (context: Context) => unknown,
  ): Promise<{ failure?: ReturnType<typeof toFailure> }> {
    if (this.#context === undefined) return {};
    try {
      await call(this.#context);
      return {};
    } catch (error) {
      return { failure: toFailure(error) };
    }
  }

  /** The task has failed: no more puts; flush, close and stop are still served. */
  #fail(error: unknown): void {
    this.#becomeFailed();
    this.#send({ case: "failure", value: toFailure(error) });
  }

  /** It overcomes nothing any more. */
  #becomeFailed(): void {
    this.#failed = true;
    this.#meter.overcame();
  }

  async #stop(): Promise<void> {
    this.#meter.now(TaskActivity.STOPPING);
    const stopped = (await this.#life.mayStop())
      ? await this.#attempt((context) => this.#definition.stop?.(context))
      : {};
    if (stopped.failure !== undefined && this.#life.isCutOff) {
      this.#host.log.error(`stopping failed: ${stopped.failure.text}`);
    }
    this.#send({ case: "stopped", value: stopped });
    this.#stream.finish();
  }

  #nextEpoch(): bigint {
    this.#epoch += 1;
    return BigInt(this.#epoch);
  }

  #giveCredit(records: number, bytes: number): void {
    this.#send({ case: "credit", value: { records: BigInt(records), bytes: BigInt(bytes) } });
  }

  #send(kind: MessageKind): void {
    this.#stream.write(toBinary(SinkTaskMessageSchema, create(SinkTaskMessageSchema, { kind })));
  }
}

function wirePartition({ topic, partition }: SinkPartition) {
  return { topic, partition };
}

function wireOffset({ topic, partition, offset }: SinkOffset) {
  return { topic, partition, offset: BigInt(offset) };
}
