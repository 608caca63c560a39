/**
 * Between a consumer and a sink plugin's stream: puts, their results, rewinds, retries, flushes and
 * rebalances, by the rules of proto/README.md ("Sink"). What is not done is read again from the log
 * instead of being kept: a put that has to be repeated seeks its partitions back.
 */
import { within } from "../base/deadline.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { TaskError } from "../base/error.ts";
import type {
  Fetched,
  PartitionOffset,
  RebalanceListener,
  SinkConsumer,
  TopicPartition,
} from "../kafka/kafka.ts";
import type {
  FlushResult,
  PutResult,
  SinkEvent,
  SinkOffset,
  SinkStream,
} from "../plugin/plugin.ts";
import type { PutBuilder } from "./put-builder.ts";
import { SinkPositions } from "./sink-positions.ts";
import type { SinkRecords } from "./sink-records.ts";
import type { TaskParts, TaskSpec } from "./task.ts";
import { failureError, toleranceExceeded, unrecoverable } from "./task-failure.ts";

export class SinkDelivery implements RebalanceListener {
  readonly #spec: TaskSpec;
  readonly #parts: TaskParts;
  readonly #stream: SinkStream;
  readonly #records: SinkRecords;
  readonly #builder: PutBuilder;
  readonly #positions = new SinkPositions();
  readonly #interrupt = new AbortController();
  #consumer!: SinkConsumer;
  #wake: () => void = () => {};
  #outstanding = 0;
  #allAnswered: Deferred<void> | undefined;
  #committing: Promise<void> = Promise.resolve();
  #isCommitting = false;
  #nextCommitMs: number;
  /** What the plugin's epoch is, and the highest that was applied here. */
  #pluginEpoch = 0;
  #epoch = 0;
  /** Puts were not executed, or the plugin wants to read elsewhere: seek before going on. */
  #outOfStep = false;
  #flushFailed = false;
  readonly #rewinds: (readonly SinkOffset[])[] = [];
  #retryAtMs: number | undefined;
  #pauseAll = false;
  /** Ends of fetched batches without records, taken once nothing is outstanding. */
  #trailing: SinkOffset[] = [];
  /** I2: the results of later puts say nothing about the records of that one. */
  #isPutFailed = false;
  /** The plugin is gone: nothing may be asked of it, nothing committed. */
  #gone = false;
  failure: unknown;

  constructor(spec: TaskSpec, parts: TaskParts, stream: SinkStream, records: SinkRecords) {
    this.#spec = spec;
    this.#parts = parts;
    this.#stream = stream;
    this.#records = records;
    this.#builder = records.builder;
    this.#nextCommitMs = parts.clock.elapsedMs() + spec.limits.offsetFlushIntervalMs;
  }

  /** The consumer is made with this as its listener, so it comes second. `wake` ends its poll. */
  use(consumer: SinkConsumer, wake: () => void): void {
    this.#consumer = consumer;
    this.#wake = wake;
  }

  /** Something failed or ends: no wait goes on. */
  interrupt(): void {
    this.#interrupt.abort();
    if (this.#gone) this.#allAnswered?.resolve();
  }

  pluginGone(reason: string): void {
    this.#gone = true;
    this.#fail(new TaskError("plugin.gone", reason));
  }

  /** How long a poll may wait. */
  get pollMsMax(): number {
    const due = Math.min(this.#nextCommitMs, this.#retryAtMs ?? Number.POSITIVE_INFINITY);
    return Math.min(1_000, Math.max(0, due - this.#parts.clock.elapsedMs()));
  }

  /** One round before each poll: what must be sought, what is paused, what is due. */
  async beforePoll(pauseAll: boolean): Promise<void> {
    if (this.#outOfStep) await this.#getInStep();
    const nowMs = this.#parts.clock.elapsedMs();
    if (this.#retryAtMs !== undefined && nowMs >= this.#retryAtMs) this.#retryAtMs = undefined;
    if (pauseAll !== this.#pauseAll) this.#nextCommitMs = nowMs;
    this.#pauseAll = pauseAll;
    this.#applyPauses();
    if (nowMs >= this.#nextCommitMs) {
      this.#nextCommitMs = nowMs + this.#spec.limits.offsetFlushIntervalMs;
      this.#commitNow();
    }
  }

  /** Sends what was fetched. Gives up early when the plugin's epoch changes on the way. */
  async deliver(fetched: readonly Fetched[]): Promise<void> {
    let spans: SinkOffset[] = [];
    for (const one of fetched) this.#parts.meter.sinkRecordReadTotal += one.recordCount;
    const back = new Set(fetched.filter((one) => this.#positions.sent(one)));
    for (const one of fetched) {
      if (back.has(one)) {
        if (!(await this.#goBack(one, spans))) return;
        spans = [];
      }
      this.#records.start(one);
      for (;;) {
        const { full, nextOffset } = this.#fill(one);
        spans.push({ topic: one.topic, partition: one.partition, offset: nextOffset });
        if (!full) break;
        if (!(await this.#put(spans))) return;
        spans = [];
      }
    }
    if (this.#builder.count > 0) await this.#put(spans);
    else this.#trailing.push(...spans);
    if (this.#outstanding === 0) this.#takeTrailing();
  }

  /** Behind the results of what was put before. False when the plugin is out of step. */
  async #goBack(to: Fetched, before: readonly SinkOffset[]): Promise<boolean> {
    if (this.#builder.count === 0) this.#trailing.push(...before);
    else if (!(await this.#put(before))) return false;
    await this.#quiet();
    if (this.#outOfStep || this.failure !== undefined) return false;
    const { topic, partition, firstOffset, nextOffset } = to;
    this.#positions.restart({ topic, partition, offset: Math.min(firstOffset, nextOffset) });
    return true;
  }

  #fill(fetched: Fetched): { full: boolean; nextOffset: number } {
    try {
      return this.#records.fill(fetched);
    } catch (error) {
      this.#parts.meter.totalRecordFailures += 1;
      this.#parts.meter.totalRecordErrors += 1;
      throw error;
    }
  }

  async assigned(partitions: readonly PartitionOffset[]): Promise<void> {
    await this.#quiet();
    if (this.#gone) return;
    this.#positions.assign(partitions);
    this.#applyPauses();
    const failure = await this.#stream.open(partitions);
    if (failure !== undefined) throw failureError(failure);
  }

  async revoked(partitions: readonly TopicPartition[]): Promise<void> {
    await this.#quiet();
    // The group does not wait for results longer than its deadline.
    if (this.#isOut) return this.lost(partitions);
    if (!this.#gone) await this.#closePartitions(partitions);
    this.#positions.forget(partitions);
  }

  async lost(partitions: readonly TopicPartition[]): Promise<void> {
    await this.#quiet();
    this.#positions.forget(partitions);
    if (this.#gone) return;
    const failure = await this.#stream.close(partitions, "lost");
    if (failure !== undefined) this.#warn("close failed", failure.text);
  }

  /** Every put and flush has its answer (or the plugin is gone). */
  async #quiet(): Promise<void> {
    while (this.#outstanding > 0 && !this.#gone) {
      this.#allAnswered ??= deferred();
      await this.#allAnswered.promise;
    }
    if (!this.#gone) await this.#committing;
    this.#takeTrailing();
  }

  get #isOut(): boolean {
    return this.#consumer.assignment().length === 0;
  }

  /** Flush, FlushResult, Close, Closed, commit; only then the group is answered. */
  async #closePartitions(partitions: readonly TopicPartition[]): Promise<void> {
    const named = this.#positions.toFlush(partitions);
    let safe: SinkOffset[] = [];
    if (named.length > 0) {
      const result = await this.#flush(named);
      if (result.at === "failed") this.#warn("flush failed while closing", result.failure.text);
      else safe = this.#positions.safe(named, result.offsets);
    }
    const failure = await this.#stream.close(partitions, this.#isOut ? "lost" : "revoked");
    if (failure !== undefined) this.#warn("close failed", failure.text);
    if (!this.#isOut) await this.#commitOffsets(safe);
  }

  async #put(spans: readonly SinkOffset[]): Promise<boolean> {
    await this.#stream.room(this.#interrupt.signal);
    if (this.#interrupt.signal.aborted || this.#outOfStep) {
      this.#builder.clear();
      return false;
    }
    const columns = this.#builder.columns();
    const { count } = columns;
    this.#outstanding += 1;
    // The columns are written to the wire before this returns, so the builder may go on.
    this.#stream
      .put(columns, this.#epoch)
      .then((result) => this.#answered(result, spans, count))
      .catch((error: unknown) => this.#fail(error))
      .finally(() => this.#settled());
    this.#builder.clear();
    return true;
  }

  #settled(): void {
    this.#outstanding -= 1;
    if (this.#outstanding > 0) return;
    this.#takeTrailing();
    this.#allAnswered?.resolve();
    this.#allAnswered = undefined;
  }

  #takeTrailing(): void {
    if (this.#trailing.length === 0 || this.#outOfStep || this.failure !== undefined) return;
    this.#positions.took(this.#trailing);
    this.#trailing = [];
  }

  // I2: only a result moves a position, so nothing is flushed or committed before it.
  #answered(result: PutResult, spans: readonly SinkOffset[], count: number): void {
    if (this.#isPutFailed) return;
    if (result.at === "retry" || result.at === "discarded") {
      this.#raise(result.epoch);
      this.#outOfStep = true;
      if (result.at === "retry") {
        this.#retryAtMs = this.#parts.clock.elapsedMs() + result.retryAfterMs;
        this.#warn("put failed, trying again later", result.failure.text);
      }
      this.#wake();
      return;
    }
    const failed =
      result.at === "runs" ? result.runs.find((run) => run.outcome === "failed") : undefined;
    this.#isPutFailed = result.at === "failed" || failed !== undefined;
    if (result.at === "failed") throw unrecoverable(failureError(result.failure));
    if (failed?.outcome === "failed") {
      this.#parts.meter.totalRecordFailures += failed.count;
      this.#parts.meter.totalRecordErrors += failed.count;
      throw unrecoverable(toleranceExceeded(failureError(failed.failure)));
    }
    this.#positions.took(spans);
    this.#parts.meter.sinkRecordSendTotal += count;
  }

  /** At once, before any result that came after it: a rewind bars its partitions (I2). */
  note(event: SinkEvent): void {
    try {
      this.#take(event);
    } catch (error) {
      this.#fail(error);
    }
  }

  #take(event: SinkEvent): void {
    switch (event.at) {
      case "request-commit":
        this.#nextCommitMs = this.#parts.clock.elapsedMs();
        return;
      case "rewind":
        this.#raise(event.epoch);
        this.#positions.markRewinding(event.offsets);
        this.#rewinds.push(event.offsets);
        this.#outOfStep = true;
        return;
      case "pause":
        this.#raise(event.epoch);
        this.#positions.setPaused(event.partitions, true);
        this.#outOfStep = true;
        return;
      case "resume":
        this.#positions.setPaused(event.partitions, false);
        return;
      case "errant":
        this.#parts.meter.totalRecordFailures += 1;
        this.#parts.meter.totalRecordErrors += 1;
        this.#positions.failed(event.original);
        throw unrecoverable(toleranceExceeded(failureError(event.failure)));
      case "failed":
        throw unrecoverable(failureError(event.failure));
    }
  }

  #raise(epoch: number): void {
    this.#pluginEpoch = Math.max(this.#pluginEpoch, epoch);
  }

  /** Reads again what was not executed, applies rewinds, and takes over the plugin's epoch. */
  async #getInStep(): Promise<void> {
    await this.#quiet();
    this.#outOfStep = false;
    this.#trailing = [];
    this.#builder.clear();
    for (const offset of this.#positions.takeUnsent()) this.#consumer.seek(offset, offset.offset);
    this.#epoch = this.#pluginEpoch;
    const answers = this.#rewinds.splice(0).map((offsets) => this.#positions.rewind(offsets));
    if (this.#flushFailed) answers.push(this.#positions.rewindToCommitted());
    this.#flushFailed = false;
    for (const owned of answers) {
      for (const offset of owned) this.#consumer.seek(offset, offset.offset);
      this.#stream.rewound(owned);
    }
  }

  #applyPauses(): void {
    const all = this.#pauseAll || this.#retryAtMs !== undefined;
    if (all) this.#consumer.pause(this.#positions.partitions);
    else {
      this.#consumer.resume(this.#positions.where(false));
      this.#consumer.pause(this.#positions.where(true));
    }
  }

  /** One round at a time: a request that comes during one is the next round's. */
  #commitNow(): void {
    if (this.#isCommitting) return;
    this.#isCommitting = true;
    this.#committing = this.#commitRound().finally(() => {
      this.#isCommitting = false;
    });
  }

  async #commitRound(): Promise<void> {
    if (this.#gone) return;
    const named = this.#positions.toFlush();
    if (named.length === 0) return;
    try {
      const result = await this.#flush(named);
      if (result.at === "safe") {
        await this.#commitOffsets(this.#positions.safe(named, result.offsets));
        return;
      }
      this.#raise(result.epoch);
      this.#flushFailed = true;
      this.#outOfStep = true;
      this.#parts.meter.offsetCommitSkipTotal += 1;
      this.#warn("Offset commit failed, rewinding to last committed offsets", result.failure.text);
    } catch (error) {
      this.#fail(error);
    }
  }

  /**
   * A turn later, so that what the plugin said before its answer has been noted. One that takes longer
   * than `offset.flush.timeout.ms` is told and counted once; its answer still counts when it comes.
   */
  async #flush(named: readonly SinkOffset[]): Promise<FlushResult> {
    const { offsetFlushTimeoutMs } = this.#spec.limits;
    const answer = this.#stream.flush(named);
    if ((await within(answer, offsetFlushTimeoutMs, "late" as const)) === "late") {
      this.#parts.meter.offsetCommitSkipTotal += 1;
      this.#warn("Commit of offsets timed out", `no answer within ${offsetFlushTimeoutMs} ms`);
    }
    const result = await answer;
    await new Promise((resolve) => setImmediate(resolve));
    return result;
  }

  async #commitOffsets(offsets: readonly SinkOffset[]): Promise<void> {
    if (offsets.length === 0) return;
    try {
      await this.#consumer.commit(offsets);
      this.#positions.committed(offsets);
      this.#parts.meter.offsetCommitCompletionTotal += 1;
    } catch (error) {
      this.#parts.meter.offsetCommitSkipTotal += 1;
      this.#parts.logger.error({ err: error }, "cannot commit sink offsets, trying again later");
    }
  }

  #warn(what: string, reason: string): void {
    this.#parts.logger.warn({ reason }, what);
  }

  #fail(error: unknown): void {
    this.failure ??= error;
    this.interrupt();
    this.#wake();
  }
}
