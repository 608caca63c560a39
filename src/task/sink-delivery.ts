/**
 * Between a consumer and a sink plugin's stream: puts, their results, rewinds, retries, flushes and
 * rebalances, by the rules of proto/README.md ("Sink"). What is not done is read again from the log
 * instead of being kept: a put that has to be repeated seeks its partitions back.
 */
import { type Deferred, deferred } from "../base/deferred.ts";
import type {
  Fetched,
  PartitionOffset,
  RebalanceListener,
  SinkConsumer,
  TopicPartition,
} from "../kafka/kafka.ts";
import type { PutResult, SinkEvent, SinkOffset, SinkStream } from "../plugin/plugin.ts";
import type { DeadLetterQueue } from "./dead-letter-queue.ts";
import { ErrantRecords } from "./errant-records.ts";
import type { PutBuilder } from "./put-builder.ts";
import { SinkCommit } from "./sink-commit.ts";
import { SinkPositions } from "./sink-positions.ts";
import type { SinkRecords } from "./sink-records.ts";
import type { TaskParts, TaskSpec } from "./task.ts";
import { failureError, unrecoverable } from "./task-failure.ts";
import { isGone, type PutRecords, type PutSpan, type UnansweredPuts } from "./unanswered-puts.ts";

export class SinkDelivery implements RebalanceListener {
  readonly #spec: TaskSpec;
  readonly #parts: TaskParts;
  readonly #stream: SinkStream;
  readonly #records: SinkRecords;
  readonly #builder: PutBuilder;
  readonly #positions = new SinkPositions();
  readonly #interrupt = new AbortController();
  readonly #errants: ErrantRecords;
  readonly #commit: SinkCommit;
  readonly #puts: UnansweredPuts;
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

  constructor(
    spec: TaskSpec,
    parts: TaskParts,
    stream: SinkStream,
    records: SinkRecords,
    puts: UnansweredPuts,
    letters: DeadLetterQueue | undefined,
  ) {
    this.#errants = new ErrantRecords(spec, parts, letters, (error) => this.fail(error));
    this.#commit = new SinkCommit(spec, parts, stream, this.#positions, this.#errants);
    this.#puts = puts;
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
    let spans: PutSpan[] = [];
    for (const one of fetched) this.#parts.meter.sinkRecordReadTotal += one.recordCount;
    const back = new Set(fetched.filter((one) => this.#positions.sent(one)));
    for (const one of fetched) {
      if (back.has(one)) {
        if (!(await this.#goBack(one, spans))) return;
        spans = [];
      }
      if (!(await this.#records.start(one, this.#interrupt.signal))) return this.#builder.clear();
      for (;;) {
        const { at, nextOffset, afterMs, isUsed } = this.#records.fill(one);
        if (isUsed) this.#parts.useTopic(one.topic);
        if (at === "retry") {
          if (!(await this.#waitToRetry(afterMs, one))) return this.#builder.clear();
          continue;
        }
        const { topic, partition } = one;
        spans.push({ topic, partition, offset: nextOffset, upTo: this.#builder.count });
        if (at === "end" && !this.#records.isSuspected) break;
        if (!(await this.#put(spans))) return;
        spans = [];
        if (at === "end") break;
      }
    }
    if (this.#builder.count > 0) await this.#put(spans);
    else this.#trailing.push(...spans);
    if (this.#outstanding === 0) this.#takeTrailing();
  }

  /** False when the task ends: what it waited for is read again by its successor. */
  async #waitToRetry(afterMs: number, fetched: Fetched): Promise<boolean> {
    const { signal } = this.#interrupt;
    if (!signal.aborted) await this.#parts.clock.sleep(afterMs, signal);
    return !signal.aborted && this.#records.prepare(fetched, signal);
  }

  /** Behind the results of what was put before. False when the plugin is out of step. */
  async #goBack(to: Fetched, before: readonly PutSpan[]): Promise<boolean> {
    if (this.#builder.count === 0) this.#trailing.push(...before);
    else if (!(await this.#put(before))) return false;
    await this.#quiet();
    if (this.#outOfStep || this.failure !== undefined) return false;
    const { topic, partition, firstOffset, nextOffset } = to;
    this.#puts.forget(to);
    this.#positions.restart({ topic, partition, offset: Math.min(firstOffset, nextOffset) });
    return true;
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
    this.#errants.forget(partitions);
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
      const result = await this.#commit.flush(named);
      if (result.at === "failed") this.#warn("flush failed while closing", result.failure.text);
      else safe = this.#positions.safe(named, result.offsets);
    }
    const failure = await this.#stream.close(partitions, this.#isOut ? "lost" : "revoked");
    if (failure !== undefined) this.#warn("close failed", failure.text);
    if (!this.#isOut) await this.#commit.commit(this.#consumer, safe);
  }

  async #put(spans: readonly PutSpan[]): Promise<boolean> {
    const isSuspected = this.#records.isSuspected;
    if (isSuspected) await this.#quiet();
    await this.#stream.room(this.#interrupt.signal);
    await this.#puts.turn(isSuspected, this.#interrupt.signal);
    if (this.#interrupt.signal.aborted || this.#outOfStep) {
      this.#puts.skip();
      this.#builder.clear();
      return false;
    }
    const columns = this.#builder.columns();
    // Few puts have a record that fails, and this is how it is found again.
    const places = this.#puts.sent({ offsets: columns.offsets.slice(), spans });
    this.#outstanding += 1;
    // The columns are written to the wire before this returns, so the builder may go on.
    this.#stream
      .put(columns, this.#epoch)
      .then((result) => this.#answered(result, places))
      .catch((error: unknown) => this.fail(error))
      .finally(() => this.#settled());
    this.#builder.clear();
    if (isSuspected) await this.#quiet();
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
  #answered(result: PutResult, places: PutRecords): void {
    this.#puts.answered();
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
    this.#isPutFailed = result.at === "failed";
    if (result.at === "failed") throw unrecoverable(failureError(result.failure));
    if (result.at === "runs" && this.#errants.takeRuns(result.runs, places)) {
      // Its letter is written, then the task fails.
      this.#isPutFailed = true;
      return;
    }
    this.#positions.took(places.spans);
    this.#puts.took(places);
    this.#parts.meter.sinkRecordSendTotal += places.offsets.length;
  }

  /** At once, before any result that came after it: a rewind bars its partitions (I2). */
  note(event: SinkEvent): void {
    try {
      this.#take(event);
    } catch (error) {
      this.fail(error);
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
        if (!this.#errants.tolerant) this.#positions.failed(event.original);
        this.#errants.report(event, (failure) =>
          this.#stream.errantReceipt(event.reportId, failure),
        );
        return;
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
      const result = await this.#commit.flush(named);
      if (result.at === "safe") {
        await this.#commit.commit(this.#consumer, this.#positions.safe(named, result.offsets));
        return;
      }
      this.#raise(result.epoch);
      this.#flushFailed = true;
      this.#outOfStep = true;
      this.#parts.meter.offsetCommitSkipTotal += 1;
      this.#warn("Offset commit failed, rewinding to last committed offsets", result.failure.text);
    } catch (error) {
      this.fail(error);
    }
  }

  #warn(what: string, reason: string): void {
    this.#parts.logger.warn({ reason }, what);
  }

  /** After the last word of the plugin. */
  end(): Promise<void> {
    this.#puts.end();
    return this.#errants.close();
  }

  fail(error: unknown): void {
    const isDead = isGone(error) && !this.#gone;
    this.#gone ||= isDead;
    // A process that ends on the way out says nothing of the records that it had.
    this.failure ??= isDead && !this.#interrupt.signal.aborted ? this.#puts.died(error) : error;
    this.interrupt();
    this.#wake();
  }
}
