/**
 * The record path of one source task: plugin → transform → convert → Kafka, and the acknowledgements back.
 *
 * Acked is sent before the Committed of its offsets. I7: every record ends as stored, as dropped by a
 * transform, as left out by the connector's `errors.*`, or in the failure of the task.
 */
import { within } from "../base/deadline.ts";
import { FencedError, HostError, isLate, RetriableError, TaskError } from "../base/error.ts";
import { Scope } from "../base/scope.ts";
import type { Producer, Receipt, StoredAt } from "../kafka/kafka.ts";
import type { PluginProcess, ProcessLease, SourceEvent, SourceStream } from "../plugin/plugin.ts";
import { planText } from "../transform/step.ts";
import { DeadLetterQueue } from "./dead-letter-queue.ts";
import { type BatchInFlight, InFlight } from "./in-flight.ts";
import { ProcessTask } from "./process-task.ts";
import { RecordFailures } from "./record-failures.ts";
import { SourceLanes } from "./source-lanes.ts";
import { produceFailed, SourceRecords } from "./source-records.ts";
import type { SourceWay } from "./source-way.ts";
import { failureError, taskStart } from "./task-failure.ts";
import type { TaskStages } from "./task-stages.ts";
import { TopicCreation } from "./topic-creation.ts";

/** I5: checkpoints without a record, kept while records before them have no outcome. */
const checkpointsMax = 1_000;
/** Before somebody is asked again whether a topic exists. */
const topicRetryMs = 100;

export class SourceTask extends ProcessTask<SourceStream> {
  /** Failures that come late are reported with what the plugin sent. */
  readonly #inFlight = new InFlight({ keepBatches: true });
  #letters: DeadLetterQueue | undefined;
  #stages: TaskStages | undefined;
  /** Undefined: there are no transforms. */
  #way: ((canonicalJson: boolean) => SourceWay) | undefined;
  #failures!: RecordFailures;
  #records!: SourceRecords;
  /** Undefined: that is left to the log. */
  #topics: TopicCreation | undefined;
  /** The first thing that went wrong after the stream was open; ends the receive loop. */
  #failure: unknown;
  /** Ends the wait for the plugin's next message. */
  #wake: (() => void) | undefined;
  #isFinishing = false;
  /** The task is to end, and a record waited to be tried again. */
  #isGivenUp = false;
  #tellScheduled = false;
  #committing: Promise<void> = Promise.resolve();

  override async run(signal: AbortSignal): Promise<void> {
    try {
      await super.run(signal);
    } finally {
      await this.#letters?.close();
      await this.#stages?.close();
    }
  }

  /** The topic for dead letters comes first: without it nothing is started. */
  protected async startIn(process: PluginProcess, signal: AbortSignal): Promise<SourceStream> {
    this.#way = await this.#chain(signal);
    this.#letters = await DeadLetterQueue.open(this.spec, this.parts);
    return process.startSourceTask(taskStart(this.spec), signal);
  }

  /** Most tasks have none, and then none of it is loaded. */
  async #chain(signal: AbortSignal): Promise<((canonicalJson: boolean) => SourceWay) | undefined> {
    const steps = await this.parts.createSteps();
    if (steps.length === 0) return undefined;
    const { hasStages, TaskStages } = await import("./task-stages.ts");
    if (hasStages(steps)) {
      const { StagedSource } = await import("./staged-source.ts");
      const stages = await TaskStages.open(steps, this.spec.limits, this.parts, signal);
      this.#stages = stages;
      return () => new StagedSource(this.parts, stages.chain);
    }
    const { SourceChain } = await import("./source-chain.ts");
    this.parts.logger.debug(`planned ${planText(steps)}`);
    return (canonicalJson) => new SourceChain(this.parts, steps, canonicalJson);
  }

  protected async serve(
    stream: SourceStream,
    lease: ProcessLease,
    signal: AbortSignal,
  ): Promise<void> {
    const { connector, task } = this.spec.id;
    const producer = this.parts.kafka.producer({
      clientId: `connector-producer-${connector}-${task}`,
    });
    const scope = new Scope();
    const drain = () => {
      scope.spawn(
        (ending) => this.#drain(stream, ending),
        (error) => this.#fail(error),
      );
    };
    try {
      this.#showTarget(stream);
      scope.defer(this.target.onChange(() => this.#showTarget(stream)));
      stream.credit(this.spec.limits.windowRecords, this.spec.limits.windowBytes);
      scope.spawn(
        (ending) => this.#commitRegularly(stream, ending),
        (error) => this.#fail(error),
      );
      if (signal.aborted) drain();
      else signal.addEventListener("abort", drain, { once: true });
      await this.#receive(stream, producer, signal);
    } catch (error) {
      this.#fail(error);
    } finally {
      signal.removeEventListener("abort", drain);
      await scope.close();
      await this.#finish(stream, producer, lease);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #showTarget(stream: SourceStream): void {
    if (this.target.paused) stream.pause();
    else stream.resume();
    this.onState(this.target.paused ? "PAUSED" : "RUNNING");
  }

  /** Takes the plugin's messages until it has drained, failed or gone. */
  async #receive(stream: SourceStream, producer: Producer, signal: AbortSignal): Promise<void> {
    this.#failures = new RecordFailures(this.spec, this.parts, this.#letters);
    const { canonicalJson } = stream;
    const way = this.#way?.(canonicalJson) ?? new SourceLanes(this.parts, canonicalJson);
    const { kafka, logger, topicGroups: groups } = this.parts;
    this.#topics = groups && new TopicCreation({ groups, admin: kafka.admin, logger });
    this.#records = new SourceRecords(
      way,
      this.#failures,
      this.#inFlight,
      this.meter,
      this.#topics,
    );
    while (this.#failure === undefined) {
      const event = await this.#next(stream);
      if (this.#failure !== undefined) return;
      if (event === undefined) throw new TaskError("plugin.gone", await stream.ended);
      if (event.at === "drained") return;
      if (event.at === "failed") throw failureError(event.failure);
      if (event.at === "checkpoint") {
        this.#inFlight.addCheckpoint(event.partition, event.offset);
        const isFull = this.#inFlight.waitingCheckpoints > checkpointsMax;
        // I5: not before the records before the checkpoints have their outcome.
        if (isFull) await this.#orEnd(producer.flush());
      } else {
        await producer.room(signal);
        await this.#failures.room(signal);
        await this.#take(event, stream, producer, signal);
        if (this.#isGivenUp) return;
      }
    }
  }

  /** The plugin's next message; undefined also when something else failed meanwhile. */
  #next(stream: SourceStream): Promise<SourceEvent | undefined> {
    return new Promise((resolve, reject) => {
      this.#wake = () => resolve(undefined);
      stream.next().then(resolve, reject);
    });
  }

  /** As the work, but not after something else has failed. */
  #orEnd(work: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#wake = () => resolve();
      work.then(resolve, reject);
    });
  }

  async #take(
    event: Extract<SourceEvent, { at: "records" }>,
    stream: SourceStream,
    producer: Producer,
    signal: AbortSignal,
  ): Promise<void> {
    const { columns } = event;
    this.#inFlight.add(event, event.pollEnd);
    this.meter.sourceRecordPollTotal += columns.count;
    await this.#send(event, stream, producer, signal);
    // Credit is not acknowledgement: the producer has copied the records, so the room is free again.
    stream.credit(Math.max(1, columns.count), event.sizeBytes);
    // Records that were left out may have ended batches.
    this.#tellSoon(stream);
  }

  async #send(
    batch: BatchInFlight,
    stream: SourceStream,
    producer: Producer,
    signal: AbortSignal,
  ): Promise<void> {
    const records = this.#records;
    const receipt = this.#receipt(batch, stream);
    records.begin(batch);
    for (;;) {
      if (!(await records.prepare(signal))) {
        this.#isGivenUp = true;
        return;
      }
      const wait = records.send(producer, receipt);
      if (wait === undefined) return;
      await (wait.for === "topic"
        ? this.#ensure(wait.topic, signal)
        : this.#waitToRetry(wait.afterMs, signal));
      if (this.#isGivenUp || this.#failure !== undefined) return;
    }
  }

  /** What is to be tried again when the task ends is not left out: the plugin sends it again next time. */
  async #waitToRetry(afterMs: number, signal: AbortSignal): Promise<void> {
    if (!signal.aborted) await this.parts.clock.sleep(afterMs, signal);
    this.#isGivenUp = signal.aborted;
  }

  /** Until the topic is there or the task ends. */
  async #ensure(topic: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#orEnd(this.#topics?.ensure(topic) ?? Promise.resolve());
    } catch (error) {
      if (!(error instanceof RetriableError)) throw error;
      this.parts.logger.warn({ err: error }, `cannot send to topic ${topic} yet, trying again`);
      await this.#waitToRetry(topicRetryMs, signal);
    }
  }

  #receipt(batch: BatchInFlight, stream: SourceStream): Receipt {
    return {
      stored: (indexes, from, to, at: StoredAt) => {
        this.parts.useTopic(at.topic);
        this.#inFlight.stored(batch.batchSeq, indexes, from, to);
        this.meter.sourceRecordWriteTotal += to - from;
        this.#tellSoon(stream);
      },
      failed: (indexes, from, to, error) => {
        if (this.#mayRefuse(error)) {
          this.#records.refused(batch, indexes, from, to, error);
          this.#tellSoon(stream);
          return;
        }
        this.meter.totalRecordFailures += to - from;
        this.meter.totalRecordErrors += to - from;
        this.#fail(produceFailed(error));
      },
    };
  }

  /** A task that has failed or ends stores the rest the next time; a fenced one leaves it to its successor. */
  #mayRefuse(error: Error): boolean {
    if (this.#isFinishing || this.#failure !== undefined) return false;
    return this.#failures.isTolerant && !(error instanceof FencedError);
  }

  /** One Acked for everything that was stored in this turn. */
  #tellSoon(stream: SourceStream): void {
    if (this.#tellScheduled) return;
    this.#tellScheduled = true;
    setImmediate(() => {
      this.#tellScheduled = false;
      this.#tell(stream);
    });
  }

  #tell(stream: SourceStream): void {
    const acked = this.#inFlight.takeAcked();
    if (acked === undefined) return;
    stream.acked(acked.through, acked.runs);
  }

  async #commitRegularly(stream: SourceStream, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.parts.clock.sleep(this.spec.limits.offsetFlushIntervalMs, signal);
      if (!signal.aborted) await this.#commit(stream, false);
    }
  }

  /** One at a time; a failure is logged and its offsets are tried again the next time. */
  #commit(stream: SourceStream, partial: boolean): Promise<void> {
    this.#committing = this.#committing.then(() => this.#commitOnce(stream, partial));
    return this.#committing;
  }

  async #commitOnce(stream: SourceStream, partial: boolean): Promise<void> {
    const offsets = this.#inFlight.takeCommittable({ partial });
    const { offsetFlushTimeoutMs } = this.spec.limits;
    try {
      // I1: a record that was left out is not committed past before its letter is stored.
      const settled = this.#failures.settled().then(() => undefined);
      if ((await within(settled, offsetFlushTimeoutMs, "late" as const)) === "late") {
        throw new Error(`dead letters were not written within ${offsetFlushTimeoutMs} ms`);
      }
      if (offsets.length > 0) {
        const writing = this.parts.offsets.write(this.spec.id.connector, offsets);
        const late = await within(
          writing.then(() => undefined),
          offsetFlushTimeoutMs,
          "late" as const,
        );
        if (late !== undefined) throw new Error(`no answer within ${offsetFlushTimeoutMs} ms`);
      }
      this.meter.offsetCommitCompletionTotal += 1;
      // Acked precedes the Committed of its offsets.
      this.#tell(stream);
      stream.committed(offsets);
    } catch (error) {
      this.#inFlight.giveBack(offsets);
      if (error instanceof TaskError && error.code === "task.dead_letter_failed") {
        this.#fail(error);
      }
      this.meter.offsetCommitSkipTotal += 1;
      this.parts.logger.error({ err: error }, "cannot commit source offsets, trying again later");
    }
  }

  /** What was received whole is stored and committed, whatever ended the task; then it stops. */
  async #finish(stream: SourceStream, producer: Producer, lease: ProcessLease): Promise<void> {
    const { stopMsMax, offsetFlushTimeoutMs } = this.spec.limits;
    const startMs = this.parts.clock.elapsedMs();
    this.#isFinishing = true;
    await producer.close(offsetFlushTimeoutMs).catch((error: unknown) => this.#fail(error));
    this.#tell(stream);
    await this.#commit(stream, true);
    if (this.#failure instanceof HostError && this.#failure.code === "plugin.gone") return;
    const passedMs = Math.ceil(this.parts.clock.elapsedMs() - startMs);
    const leftMs = Math.max(1_000, stopMsMax - passedMs);
    try {
      const failure = await stream.stop(leftMs);
      if (failure !== undefined) {
        this.parts.logger.warn({ failure: failure.text }, "the plugin's stop failed");
      }
    } catch (error) {
      if (!isLate(error)) return;
      this.parts.logger.warn({ err: error }, "the task did not stop in time, ending its process");
      await lease.condemn(`task ${this.spec.id.connector}-${this.spec.id.task} did not stop`);
    }
  }

  /** Draining has a deadline too: a poll that does not look at its cancel signal must not hold us. */
  async #drain(stream: SourceStream, stopped: AbortSignal): Promise<void> {
    const { stopMsMax } = this.spec.limits;
    stream.drain();
    await this.parts.clock.sleep(stopMsMax, stopped);
    if (stopped.aborted) return;
    throw new TaskError("task.stop_timeout", `the plugin did not drain within ${stopMsMax} ms`);
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#wake?.();
  }
}
