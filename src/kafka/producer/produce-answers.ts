/** Acts on what brokers answered to Produce, or on its having got lost, batch by batch. */
import { Backoff } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import { RetriableError } from "../../base/error.ts";
import type { Logger } from "../../observe/logger.ts";
import { brokerCode, brokerError } from "../broker-error.ts";
import type { Connections } from "../calls.ts";
import { describeConfigs } from "../protocol/describe-configs.ts";
import type { ProducedPartition, ProduceResponse } from "../protocol/produce.ts";
import type { BatchEnds } from "./batch-ends.ts";
import type { ProduceBatch } from "./produce-batch.ts";
import {
  type Attempted,
  brokenError,
  doubtfulError,
  givenUpError,
  refusedError,
  tooLargeError,
} from "./produce-error.ts";
import { fateOf, isOdd } from "./produce-fate.ts";
import type { Outgoing } from "./produce-request.ts";
import type { ProducerSettings } from "./producer-settings.ts";
import type { TopicPartitionBatches } from "./topic-batches.ts";

/** From so many failures in a row on, they are told aloud. */
const failuresTold = 5;

/** A broker that is away would otherwise fill the log, partition by partition. */
const toldEveryMs = 30_000;

/** How long the limit of a topic may be looked up for a message. */
const limitMsMax = 5_000;

/** Header and one small record: a topic that takes less takes nothing. */
const batchBytesMin = 128;

export interface ProduceAnswersParts {
  readonly settings: ProducerSettings;
  readonly connections: Connections;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly ends: BatchEnds;
  /** Batches were sealed. */
  readonly prepare: (queue: TopicPartitionBatches) => void;
  readonly failed: (error: Error) => void;
  readonly broken: (error: unknown) => void;
}

/** A try that ended without success. */
interface Failure {
  readonly error: Error;
  /** The broker may have kept the batch although it did not say so. */
  readonly mayBeStored: boolean;
  readonly isMapOld: boolean;
}

export class ProduceAnswers {
  readonly #parts: ProduceAnswersParts;
  /** Partitions whose trouble was told aloud. */
  readonly #told = new Set<TopicPartitionBatches>();
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: ProduceAnswersParts) {
    this.#parts = parts;
  }

  /** For messages. */
  attempted(queue: TopicPartitionBatches, batch: ProduceBatch, node?: number): Attempted {
    const leader = node ?? queue.home.places?.leaders[queue.partition] ?? -1;
    return {
      topic: queue.home.name,
      partition: queue.partition,
      recordCount: batch.recordCount,
      address: leader === -1 ? undefined : this.#parts.connections.addressOf(leader),
    };
  }

  /** `response` is undefined where none is sent (acks=0): the records count as stored. */
  answered(outgoing: Outgoing, response: ProduceResponse | undefined): void {
    const { batches, node } = outgoing;
    if (response === undefined) {
      for (const [queue, batch] of batches) this.#stored(queue, batch, -1, -1);
      return;
    }
    const told = new Map<string, ProducedPartition>();
    for (const { topic, partitions } of response.topics) {
      for (const each of partitions) told.set(`${topic}-${each.partition}`, each);
    }
    for (const [queue, batch] of batches) {
      const answer = told.get(`${queue.home.name}-${queue.partition}`);
      if (answer === undefined) {
        const text = `a broker's answer to Produce leaves out ${queue.home.name}-${queue.partition}`;
        const error = new RetriableError("kafka.answer_malformed", text);
        this.#again(queue, batch, { error, mayBeStored: true, isMapOld: true }, node);
      } else {
        this.#settle(queue, batch, answer, node);
      }
    }
  }

  /** Nobody knows what became of the request. */
  lost({ batches, node }: Outgoing, error: Error): void {
    for (const [queue, batch] of batches) {
      if (error instanceof RetriableError) {
        this.#again(queue, batch, { error, mayBeStored: true, isMapOld: true }, node);
      } else {
        this.#fail(queue, batch, brokenError(this.attempted(queue, batch, node), error));
      }
    }
  }

  #settle(
    queue: TopicPartitionBatches,
    batch: ProduceBatch,
    answer: ProducedPartition,
    node: number,
  ): void {
    const { errorCode, errorMessage } = answer;
    const { recordCount, isInDoubt, oddAnswers } = batch;
    const { isIdempotent } = this.#parts.settings;
    const isFirst = queue.sealed[0] === batch;
    const fate = fateOf(errorCode, { isIdempotent, recordCount, isInDoubt, isFirst, oddAnswers });
    if (isOdd(errorCode)) batch.oddAnswers += 1;
    if (fate.at === "stored") {
      const baseOffset = errorCode === brokerCode.duplicateSequenceNumber ? -1 : answer.baseOffset;
      this.#stored(queue, batch, baseOffset, answer.logAppendTimeMs);
      return;
    }
    const attempted = this.attempted(queue, batch, node);
    if (fate.at === "failed" || fate.at === "fenced") {
      const isTooLarge = errorCode === brokerCode.messageTooLarge;
      if (isTooLarge) this.#failTooLarge(queue, batch, attempted).catch(this.#parts.broken);
      else {
        const error = refusedError(errorCode, attempted, errorMessage);
        this.#fail(queue, batch, error);
        if (fate.at === "fenced") this.#parts.failed(error);
      }
      return;
    }
    if (fate.at === "doubtful") {
      this.#fail(queue, batch, doubtfulError(attempted, brokerError(errorCode, "store them")));
      return;
    }
    if (fate.at === "split") {
      this.#split(queue, batch);
      return;
    }
    const records = attempted.recordCount === 1 ? "a record" : `${attempted.recordCount} records`;
    const doing = `write ${records} to ${attempted.topic}-${attempted.partition} at ${attempted.address}`;
    const error = brokerError(errorCode, doing, errorMessage);
    if (fate.at === "refused") {
      // The broker knows the last five batches and would have known this one, were it stored.
      batch.mayBeStored = false;
      this.#again(queue, batch, { error, mayBeStored: false, isMapOld: false }, node);
      batch.isRefused = true;
    } else {
      this.#again(queue, batch, { error, ...fate }, node);
    }
  }

  #landed(queue: TopicPartitionBatches, batch: ProduceBatch): boolean {
    batch.isInFlight = false;
    queue.inFlightCount -= 1;
    // It was given up meanwhile.
    return batch.outcome === undefined;
  }

  #stored(
    queue: TopicPartitionBatches,
    batch: ProduceBatch,
    baseOffset: number,
    logAppendTimeMs: number,
  ): void {
    if (!this.#landed(queue, batch)) return;
    if (this.#told.delete(queue)) {
      this.#parts.logger.info(names(queue), "writing to the partition works again");
    }
    queue.proved();
    queue.home.proved();
    this.#parts.ends.end(queue, batch, { at: "stored", baseOffset, logAppendTimeMs });
  }

  #fail(queue: TopicPartitionBatches, batch: ProduceBatch, error: Error): void {
    if (this.#landed(queue, batch)) this.#parts.ends.end(queue, batch, { at: "failed", error });
  }

  #again(
    queue: TopicPartitionBatches,
    batch: ProduceBatch,
    { error, mayBeStored, isMapOld }: Failure,
    node: number,
  ): void {
    if (!this.#landed(queue, batch)) return;
    const { settings, clock } = this.#parts;
    batch.mayBeStored ||= mayBeStored;
    if (isMapOld) queue.home.isMapOld = true;
    queue.lastError = error;
    if (!queue.isRecovering) {
      // One wait for all that were in flight together.
      queue.isRecovering = true;
      queue.retryAtMs = clock.elapsedMs() + this.#backoffMs(queue.failuresInRow);
      queue.failuresInRow += 1;
      this.#report(queue, batch, error, node);
    }
    if (batch.tries > settings.retriesMax) {
      const bound = `retries (${settings.retriesMax})`;
      const attempted = this.attempted(queue, batch, node);
      const gaveUp = givenUpError(attempted, batch.tries, bound, error);
      this.#parts.ends.end(queue, batch, { at: "failed", error: gaveUp });
    }
  }

  #backoffMs(failures: number): number {
    const { retryBackoffMs: firstMs, retryBackoffMsMax: maxMs } = this.#parts.settings;
    return new Backoff({
      firstMs: Math.min(maxMs, firstMs * 2 ** Math.min(failures, 30)),
      maxMs,
    }).nextDelayMs();
  }

  #report(queue: TopicPartitionBatches, batch: ProduceBatch, err: Error, node: number): void {
    const { logger, connections, clock } = this.#parts;
    const nowMs = clock.elapsedMs();
    const isLoud = queue.failuresInRow >= failuresTold && nowMs - this.#toldAtMs >= toldEveryMs;
    if (isLoud) {
      this.#toldAtMs = nowMs;
      this.#told.add(queue);
    }
    const level = isLoud ? "warn" : "debug";
    const facts = { ...names(queue), broker: connections.addressOf(node), tries: batch.tries, err };
    logger[level](facts, "cannot write to the partition, trying again");
  }

  /** Two halves take the place of a batch that the broker finds too large. */
  #split(queue: TopicPartitionBatches, batch: ProduceBatch): void {
    if (!this.#landed(queue, batch)) return;
    const { settings, ends, logger, prepare } = this.#parts;
    const { builder } = batch.pending;
    const wasBytes = builder.sizeBytes;
    const topic = queue.home;
    // The next ones are made to fit at once.
    topic.batchBytesMax = Math.max(batchBytesMin, Math.min(topic.batchBytesMax, wasBytes / 2));
    const half = ends.begin(batch.startMs, batch.stamp);
    batch.pending.splitInto(half.pending);
    ends.hold(half, half.pending.builder.capacityBytes);
    // Without idempotence once more is all that was promised.
    const isInDoubt = settings.isIdempotent && batch.mayBeStored;
    for (const each of [batch, half]) {
      each.isInDoubt = isInDoubt;
      each.mayBeStored = isInDoubt;
      each.bytes = undefined;
      each.compression = "none";
    }
    queue.addHalf(batch, half);
    // What was sent behind it comes after both halves.
    queue.isRecovering = true;
    prepare(queue);
    logger.debug({ ...names(queue), wasBytes }, "the broker finds a batch too large, splitting it");
  }

  /** Looks up the limit for the message; meanwhile the batch counts as in flight. */
  async #failTooLarge(
    queue: TopicPartitionBatches,
    batch: ProduceBatch,
    attempted: Attempted,
  ): Promise<void> {
    const limit = await this.#limitOf(attempted.topic);
    this.#fail(queue, batch, tooLargeError(attempted, batch.sizeBytes, limit));
  }

  async #limitOf(topic: string): Promise<number | undefined> {
    const request = { topics: [topic], keys: ["max.message.bytes"] };
    try {
      const { connections } = this.#parts;
      const options = { timeoutMs: limitMsMax };
      const answer = await connections.call({ at: "any" }, describeConfigs, request, options);
      const value = Number(answer.topics[0]?.entries[0]?.value ?? Number.NaN);
      return Number.isFinite(value) ? value : undefined;
    } catch {
      // Not everybody may ask; the size alone helps too.
      return undefined;
    }
  }
}

function names(queue: TopicPartitionBatches): { topic: string; partition: number } {
  return { topic: queue.home.name, partition: queue.partition };
}
