/**
 * The record path of one source task: plugin → convert → Kafka, and the acknowledgements back.
 *
 * Acked is sent before the Committed of its offsets. I7: every record ends as stored or in the
 * failure of the task; there is no third way in this version.
 */
import { within } from "../base/deadline.ts";
import { HostError, isLate, TaskError } from "../base/error.ts";
import { Scope } from "../base/scope.ts";
import type { Producer, Receipt, StoredAt } from "../kafka/kafka.ts";
import type { PluginProcess, ProcessLease, SourceEvent, SourceStream } from "../plugin/plugin.ts";
import { InFlight } from "./in-flight.ts";
import { ProcessTask } from "./process-task.ts";
import { SourceRecords } from "./source-records.ts";
import { failureError, taskStart } from "./task-failure.ts";

/** I5: checkpoints without a record, kept while records before them have no outcome. */
const checkpointsMax = 1_000;

export class SourceTask extends ProcessTask<SourceStream> {
  readonly #inFlight = new InFlight();
  /** The first thing that went wrong after the stream was open; ends the receive loop. */
  #failure: unknown;
  /** Ends the wait for the plugin's next message. */
  #wake: (() => void) | undefined;
  #tellScheduled = false;
  #committing: Promise<void> = Promise.resolve();

  protected startIn(process: PluginProcess, signal: AbortSignal): Promise<SourceStream> {
    return process.startSourceTask(taskStart(this.spec), signal);
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
    const records = new SourceRecords({
      key: this.parts.keyConverter,
      value: this.parts.valueConverter,
      header: this.parts.headerConverter,
      canonicalJson: stream.canonicalJson,
      topicsRefused: this.parts.topicsRefused,
    });
    while (this.#failure === undefined) {
      const event = await this.#next(stream);
      if (this.#failure !== undefined) return;
      if (event === undefined) throw new TaskError("plugin.gone", await stream.ended);
      if (event.at === "drained") return;
      if (event.at === "failed") throw failureError(event.failure);
      if (event.at === "checkpoint") {
        this.#inFlight.addCheckpoint(event.partition, event.offset);
        if (this.#inFlight.waitingCheckpoints > checkpointsMax) await this.#settle(producer);
      } else {
        await producer.room(signal);
        this.#take(event, records, stream, producer);
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

  /** I5: waits until the records before the checkpoints have their outcome, or the task ends. */
  #settle(producer: Producer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#wake = () => resolve();
      producer.flush().then(resolve, reject);
    });
  }

  #take(
    event: Extract<SourceEvent, { at: "records" }>,
    records: SourceRecords,
    stream: SourceStream,
    producer: Producer,
  ): void {
    const { columns, definitions } = event;
    this.#inFlight.add(event, event.pollEnd);
    this.meter.sourceRecordPollTotal += columns.count;
    try {
      records.send(columns, definitions, producer, this.#receipt(event.batchSeq, stream));
    } catch (error) {
      this.meter.totalRecordFailures += 1;
      this.meter.totalRecordErrors += 1;
      throw new TaskError("task.tolerance_exceeded", "Tolerance exceeded in error handler", {
        cause: error,
      });
    }
    // Credit is not acknowledgement: the producer has copied the records, so the room is free again.
    stream.credit(Math.max(1, columns.count), event.sizeBytes);
    if (columns.count === 0) this.#tellSoon(stream);
  }

  #receipt(batchSeq: number, stream: SourceStream): Receipt {
    return {
      stored: (indexes, from, to, _at: StoredAt) => {
        this.#inFlight.stored(batchSeq, indexes, from, to);
        this.meter.sourceRecordWriteTotal += to - from;
        this.#tellSoon(stream);
      },
      failed: (_indexes, from, to, error) => {
        this.meter.totalRecordFailures += to - from;
        this.meter.totalRecordErrors += to - from;
        this.#fail(
          new TaskError(
            "task.produce_failed",
            "Unrecoverable exception from producer send callback",
            { cause: error },
          ),
        );
      },
    };
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
    const runs = acked.count === 0 ? [] : [{ count: acked.count, outcome: "stored" as const }];
    stream.acked(acked.through, runs);
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
      this.meter.offsetCommitSkipTotal += 1;
      this.parts.logger.error({ err: error }, "cannot commit source offsets, trying again later");
    }
  }

  /** What was received whole is stored and committed, whatever ended the task; then it stops. */
  async #finish(stream: SourceStream, producer: Producer, lease: ProcessLease): Promise<void> {
    const { stopMsMax, offsetFlushTimeoutMs } = this.spec.limits;
    const startMs = this.parts.clock.elapsedMs();
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
