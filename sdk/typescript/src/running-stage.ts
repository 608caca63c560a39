import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { ConfigKeys } from "./config.ts";
import { parseConfig } from "./config-parse.ts";
import { abortReason, type Deferred, deferred } from "./deferred.ts";
import { toFailure } from "./failure.ts";
import type { OpenStageRequest } from "./gen/bulkhead/plugin/v1/connector_pb.ts";
import { type Failure, FailureClass } from "./gen/bulkhead/plugin/v1/error_pb.ts";
import { StageMessageSchema } from "./gen/bulkhead/plugin/v1/stage_pb.ts";
import type { Log } from "./log.ts";
import type { StageClass, StageContext, StageDefinition } from "./stage.ts";
import { type StageBatch, StageInbox } from "./stage-inbox.ts";
import { StageResults } from "./stage-results.ts";
import { stageStep } from "./stage-step.ts";
import { TaskLife } from "./task-life.ts";
import type { TaskStream } from "./task-stream.ts";

type Context = StageContext<ConfigKeys, unknown>;
type MessageKind = NonNullable<MessageInitShape<typeof StageMessageSchema>["kind"]>;

/** What a stage needs from its session. */
export interface StageHost {
  readonly connector: string;
  readonly request: OpenStageRequest;
  readonly messageBytesMax: number;
  readonly log: Log;
  /** Opens the stage's stream; the reader must not wait. */
  openStream(onMessage: (bytes: Buffer) => void): TaskStream;
}

// What the host may have on its way to this stage beyond the batch that runs.
const creditRecords = 20_000;
const creditBytesMin = 4 * 1024 * 1024;

/** One open transform, predicate or converter: its stream to the host, and the user's function behind a queue. */
export class RunningStage {
  /** Resolves when the host has taken the ticket; rejects when it has not. */
  readonly opened: Promise<void>;
  /** Resolves when no user code of it runs, with what its stop threw; never rejects. */
  readonly done: Promise<Failure | undefined>;
  readonly #host: StageHost;
  readonly #found: StageClass;
  readonly #stream: TaskStream;
  readonly #inbox = new StageInbox();
  readonly #results: StageResults;
  readonly #cancel = new AbortController();
  readonly #life = new TaskLife();
  // I5: bounded by the credit for batches.
  readonly #work: StageBatch[] = [];
  #wake: Deferred<void> | undefined;
  #context: Context | undefined;
  #failed = false;
  #closing = false;

  constructor(host: StageHost, found: StageClass) {
    this.#host = host;
    this.#found = found;
    this.#stream = host.openStream((bytes) => this.#onMessage(bytes));
    this.#results = new StageResults(
      (message) => this.#stream.write(message),
      host.messageBytesMax,
    );
    this.#send({ case: "hello", value: { ticket: host.request.ticket } });
    this.opened = this.#stream.opened;
    this.done = this.#run();
    void this.#stream.ended.then((reason) => this.cutOff(reason));
  }

  /** What runs is finished, what waits is dropped; resolves with what the user's stop threw. */
  async close(): Promise<Failure | undefined> {
    this.#onClose("the host closes the stage");
    return await this.done;
  }

  /** The stream has ended before it was closed: the user's stop still follows. */
  cutOff(reason: string): void {
    if (!this.#life.cutOff()) return;
    this.#onClose(reason);
    this.#stream.cancel();
  }

  /** The session is gone: no further user call. */
  abandon(reason: string): void {
    this.#life.abandon();
    this.cutOff(reason);
  }

  async #run(): Promise<Failure | undefined> {
    try {
      await this.#stream.opened;
    } catch {
      return undefined;
    }
    try {
      await this.#start();
      for (;;) {
        const batch = await this.#next();
        if (batch === undefined) break;
        await this.#do(batch);
      }
    } catch (error) {
      this.#fail(error);
      await this.#untilClosing();
    }
    return await this.#stop();
  }

  async #start(): Promise<void> {
    if (this.#closing) return;
    const { connector, request, log } = this.#host;
    const definition: StageDefinition<ConfigKeys, unknown> = this.#found.definition;
    const context: Omit<Context, "state"> & { state: unknown } = {
      connector,
      task: request.task,
      alias: request.alias,
      isKey: request.isKey,
      config: parseConfig(definition.config ?? {}, request.config),
      texts: request.config,
      signal: this.#cancel.signal,
      log,
      state: undefined,
    };
    context.state = await definition.start?.(context);
    // Only what was started is stopped.
    this.#context = context;
    this.#send({ case: "started", value: {} });
    this.#giveCredit(creditRecords, Math.max(creditBytesMin, this.#host.messageBytesMax));
  }

  #onMessage(bytes: Buffer): void {
    if (this.#failed || this.#closing) return;
    try {
      const batch = this.#inbox.read(bytes);
      if (batch !== undefined) this.#work.push(batch);
    } catch (error) {
      this.#fail(new Error("a message of the host broke the contract", { cause: error }));
    }
    this.#wake?.resolve();
  }

  /** Undefined when the stage is closing. @throws never */
  async #next(): Promise<StageBatch | undefined> {
    while (!this.#closing) {
      const batch = this.#failed ? undefined : this.#work.shift();
      if (batch !== undefined) return batch;
      await this.#woken();
    }
    return undefined;
  }

  async #untilClosing(): Promise<void> {
    while (!this.#closing) await this.#woken();
  }

  async #woken(): Promise<void> {
    this.#wake = deferred();
    await this.#wake.promise;
    this.#wake = undefined;
  }

  async #do(batch: StageBatch): Promise<void> {
    const { rows, seq, operation } = batch;
    const step = stageStep(this.#found, this.#context as Context, operation);
    const results = this.#results;
    results.begin(seq);
    for (let at = 0; at < rows.count; at += 1) {
      if (this.#life.isCutOff) return;
      try {
        const pending = step(batch, at, results);
        if (pending !== undefined) await pending;
      } catch (error) {
        results.failed(recordFailure(error));
      }
    }
    results.finish();
    this.#giveCredit(Math.max(1, rows.count), rows.costBytes);
    await this.#stream.drained;
  }

  /** At once: the running call is told, what is queued is dropped. */
  #onClose(reason: string): void {
    this.#closing = true;
    this.#work.length = 0;
    this.#cancel.abort(abortReason(reason));
    this.#wake?.resolve();
  }

  /** The stage has failed as a whole: no more results; the host closes it. */
  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#work.length = 0;
    this.#send({ case: "failure", value: toFailure(error) });
  }

  async #stop(): Promise<Failure | undefined> {
    let failure: Failure | undefined;
    const context = this.#context;
    if (context !== undefined && (await this.#life.mayStop())) {
      const definition: StageDefinition<ConfigKeys, unknown> = this.#found.definition;
      try {
        await definition.stop?.(context);
      } catch (error) {
        failure = toFailure(error);
        if (this.#life.isCutOff) this.#host.log.error(`stopping failed: ${failure.text}`);
      }
    }
    this.#stream.finish();
    return failure;
  }

  #giveCredit(records: number, bytes: number): void {
    this.#send({ case: "credit", value: { records: BigInt(records), bytes: BigInt(bytes) } });
  }

  #send(kind: MessageKind): void {
    this.#stream.write(toBinary(StageMessageSchema, create(StageMessageSchema, { kind })));
  }
}

/** Of one record: its own fault unless trying again may help. */
function recordFailure(error: unknown): Failure {
  const failure = toFailure(error);
  if (failure.failureClass !== FailureClass.TRANSIENT) failure.failureClass = FailureClass.DATA;
  return failure;
}
