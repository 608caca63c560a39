/**
 * Brings a producer's batches to the brokers: chooses what goes when and where, one Produce request
 * for all partitions of a broker that have something. One timer for all of them.
 */
import type { Clock } from "../../base/clock.ts";
import type { BufferRoom } from "../../batch/buffer-room.ts";
import type { Logger } from "../../observe/logger.ts";
import type { ClusterMap, Connections } from "../calls.ts";
import { produce } from "../protocol/produce.ts";
import type { BatchEnds } from "./batch-ends.ts";
import type { OutcomeBarrier } from "./outcome-barrier.ts";
import { ProduceAnswers } from "./produce-answers.ts";
import type { ProduceBatch } from "./produce-batch.ts";
import {
  brokenError,
  givenUpError,
  missingTopicError,
  noLeaderError,
  refusedTopicError,
} from "./produce-error.ts";
import { type Outgoing, outgoingRequest } from "./produce-request.ts";
import { IdentitySource } from "./producer-identity.ts";
import type { ProducerSettings } from "./producer-settings.ts";
import { TopicAsker } from "./topic-asker.ts";
import type { TopicBatches, TopicPartitionBatches } from "./topic-batches.ts";
import { isWorthWaiting, topicWaitMsMax } from "./topic-wait.ts";

/** A timer cannot wait for longer than 24 days; to look too early does no harm. */
const lookMsMax = 3_600_000;

/** Everything that waits is looked at so often: deadlines need no timers of their own. */
const lookEveryMs = 1_000;

export interface SenderParts {
  readonly settings: ProducerSettings;
  readonly connections: Connections;
  readonly map: ClusterMap;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly room: BufferRoom;
  readonly barrier: OutcomeBarrier;
  readonly ends: BatchEnds;
  /** Topics with records whose partition is not known: called when there is something to look at. */
  readonly lookAtStaged: (nowMs: number) => void;
  /** Everything the producer holds has to fail. */
  readonly failed: (error: Error) => void;
  /** A fault of this program: everything has to fail, for good. */
  readonly broken: (error: unknown) => void;
}

export class Sender {
  /** Ends every wait; nothing is sent afterwards. */
  readonly ending = new AbortController();
  readonly #parts: SenderParts;
  readonly #answers: ProduceAnswers;
  readonly #identities: IdentitySource;
  readonly #asker: TopicAsker;
  /** Partitions with something unsent or unanswered. */
  readonly #active = new Set<TopicPartitionBatches>();
  /** Requests in flight, by node. */
  readonly #inFlight = new Map<number, number>();
  #isWoken = false;
  /** When somebody looks again without being woken: a few moments, never two for the same need. */
  readonly #looks = new Set<number>();
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(parts: SenderParts) {
    const { settings, connections, map, clock, logger } = parts;
    const { retryBackoffMs, retryBackoffMsMax } = settings;
    this.#parts = parts;
    const wake = () => this.wake();
    this.#asker = new TopicAsker({
      map,
      clock,
      logger,
      retryBackoffMs,
      retryBackoffMsMax,
      told: wake,
    });
    this.#identities = new IdentitySource({
      connections,
      clock,
      signal: this.ending.signal,
      timeoutMs: settings.requestTimeoutMs,
      retryBackoffMs,
      ready: wake,
      failed: parts.failed,
    });
    this.#answers = new ProduceAnswers({ ...parts, prepare: (queue) => this.prepare(queue) });
  }

  /** The partition has a new open batch: it goes when it is full, or when `linger.ms` is over. */
  opened(queue: TopicPartitionBatches): void {
    this.#active.add(queue);
    const { lingerMs } = this.#parts.settings;
    if (lingerMs === 0 || this.#isHurried) this.wake();
    else this.#arm((queue.open?.startMs ?? 0) + lingerMs);
  }

  /** A batch of the partition is full. */
  filled(queue: TopicPartitionBatches): void {
    this.prepare(queue);
    this.wake();
  }

  ask(topic: TopicBatches): void {
    this.#asker.ask(topic);
    this.#dueMs = Math.min(this.#dueMs, topic.askAtMs);
  }

  /** Soon, and once for everything that happens in this turn. */
  wake(): void {
    if (this.#isWoken) return;
    this.#isWoken = true;
    setImmediate(() => {
      this.#isWoken = false;
      try {
        this.#drain();
      } catch (error) {
        this.#parts.broken(error);
      }
    });
  }

  /** Starts to compress what is sealed. */
  prepare(queue: TopicPartitionBatches): void {
    const { compression } = this.#parts.settings;
    if (compression === undefined) return;
    for (const batch of queue.sealed) {
      if (batch.compression !== "none" || batch.outcome !== undefined) continue;
      batch.compression = "running";
      const ready = () => {
        batch.compression = "done";
        const { builder } = batch.pending;
        this.#parts.ends.hold(batch, builder.capacityBytes + builder.finishedBytes);
      };
      const working = batch.pending.builder.compress(compression);
      if (working === undefined) ready();
      else
        working.then(
          () => {
            ready();
            this.wake();
          },
          (error: Error) => this.#parts.ends.end(queue, batch, { at: "failed", error }),
        );
    }
  }

  get #isHurried(): boolean {
    return this.#parts.barrier.isAwaited || this.#parts.room.isWanted;
  }

  #drain(): void {
    if (this.ending.signal.aborted) return;
    const nowMs = this.#parts.clock.elapsedMs();
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#parts.lookAtStaged(nowMs);
    while (this.#sendRound(nowMs)) {}
    if (this.#active.size > 0) this.#dueMs = Math.min(this.#dueMs, nowMs + lookEveryMs);
    this.#arm(this.#dueMs);
  }

  /** One request at most to each broker; true when another round may find more. */
  #sendRound(nowMs: number): boolean {
    const requests = new Map<number, Outgoing>();
    let isMore = false;
    for (const queue of this.#active) {
      this.#expire(queue, nowMs);
      if (queue.isEmpty) {
        this.#active.delete(queue);
        continue;
      }
      const node = this.#nodeOf(queue, nowMs);
      if (node === undefined || this.#isBusy(node)) continue;
      const batch = this.#next(queue, nowMs);
      if (batch === undefined) continue;
      let request = requests.get(node);
      if (request === undefined) {
        request = { node, bytes: 0, batches: new Map() };
        requests.set(node, request);
      } else if (request.bytes + batch.sizeBytes > this.#parts.settings.requestBytesMax) {
        isMore = true;
        continue;
      }
      request.batches.set(queue, batch);
      request.bytes += batch.sizeBytes;
    }
    for (const request of requests.values()) {
      this.#send(request);
      // Whoever was served stands behind those who found the request full.
      if (isMore) for (const queue of request.batches.keys()) this.#toTheEnd(queue);
    }
    for (const node of requests.keys()) if (!this.#isBusy(node)) return true;
    return false;
  }

  #toTheEnd(queue: TopicPartitionBatches): void {
    this.#active.delete(queue);
    this.#active.add(queue);
  }

  #isBusy(node: number): boolean {
    return (this.#inFlight.get(node) ?? 0) >= this.#parts.settings.inFlightMax;
  }

  /** Gives up what has waited for too long; what is in flight has its answer or its time-out first. */
  #expire(queue: TopicPartitionBatches, nowMs: number): void {
    const { deliveryMsMax } = this.#parts.settings;
    for (;;) {
      const first = queue.sealed[0] ?? queue.open;
      if (first === undefined || first.isInFlight || nowMs - first.startMs < deliveryMsMax) return;
      if (first === queue.open) queue.seal();
      const cause = queue.lastError ?? queue.home.lastError ?? leaderless(queue);
      const bound = `delivery.timeout.ms (${deliveryMsMax})`;
      const attempted = this.#answers.attempted(queue, first);
      const error = givenUpError(attempted, first.tries, bound, cause);
      this.#parts.ends.end(queue, first, { at: "failed", error });
    }
  }

  /** Where the partition's next batch can go now. */
  #nodeOf(queue: TopicPartitionBatches, nowMs: number): number | undefined {
    const topic = queue.home;
    if (queue.retryAtMs > nowMs) {
      this.#dueMs = Math.min(this.#dueMs, queue.retryAtMs);
      return undefined;
    }
    const { map, settings } = this.#parts;
    topic.look(map);
    const leader = topic.places?.leaders[queue.partition];
    if (leader === undefined && !topic.isMapOld) this.#checkHomeless(queue, nowMs);
    else queue.homelessSinceMs = undefined;
    const { cannotAsk } = topic;
    if (topic.isMapOld && cannotAsk !== undefined) this.#failAll(queue, cannotAsk);
    if (topic.isMapOld || leader === undefined || leader === -1) {
      this.ask(topic);
      return undefined;
    }
    if (nowMs - (topic.places?.toldMs ?? nowMs) > settings.mapAgeMsMax) this.ask(topic);
    return leader;
  }

  #failAll(queue: TopicPartitionBatches, cause: Error): void {
    queue.seal();
    const first = queue.sealed[0];
    if (first === undefined) return;
    this.#parts.ends.failAll(queue, brokenError(this.#answers.attempted(queue, first), cause));
  }

  /** The cluster does not know the partition any more. */
  #checkHomeless(queue: TopicPartitionBatches, nowMs: number): void {
    const { map, settings, ends } = this.#parts;
    const { name, wasKnown } = queue.home;
    queue.homelessSinceMs ??= nowMs;
    const waitedMs = nowMs - queue.homelessSinceMs;
    const code = map.topicError(name) ?? 0;
    if (!isWorthWaiting(code)) ends.failAll(queue, refusedTopicError(code, name));
    else if (waitedMs >= topicWaitMsMax(settings, wasKnown)) {
      ends.failAll(queue, missingTopicError(name, waitedMs, wasKnown));
    }
  }

  /** The batch to send next, with its final bytes. */
  #next(queue: TopicPartitionBatches, nowMs: number): ProduceBatch | undefined {
    const { settings } = this.#parts;
    // One in flight keeps the order whatever fails (Java's `guaranteeMessageOrder`): also where the lead
    // has moved and the request is with the old leader, whose answer may be to send it again.
    if (settings.inFlightMax === 1 && queue.inFlightCount > 0) return undefined;
    if (queue.needsNewPlaces) {
      if (queue.identity !== undefined) this.#identities.leave(queue.identity);
      queue.forgetPlaces();
    }
    if (queue.isAllSent && this.#isDue(queue.open, nowMs)) {
      queue.seal();
      this.prepare(queue);
    }
    const batch = queue.next(settings.isIdempotent);
    if (batch === undefined) return undefined;
    if (settings.compression !== undefined && batch.compression !== "done") return undefined;
    return batch.bytes !== undefined || this.#finish(queue, batch) ? batch : undefined;
  }

  #isDue(open: ProduceBatch | undefined, nowMs: number): boolean {
    if (open === undefined) return false;
    const dueMs = open.startMs + this.#parts.settings.lingerMs;
    if (dueMs <= nowMs || this.#isHurried) return true;
    this.#dueMs = Math.min(this.#dueMs, dueMs);
    return false;
  }

  /** False while there is no identity to number it with. */
  #finish(queue: TopicPartitionBatches, batch: ProduceBatch): boolean {
    if (this.#parts.settings.isIdempotent) {
      const identity = this.#identities.get();
      if (identity === undefined) return false;
      queue.number(batch, identity);
    }
    const { place: producer } = batch;
    batch.bytes = batch.pending.builder.finish(0, producer === undefined ? {} : { producer });
    return true;
  }

  #send(outgoing: Outgoing): void {
    const { node, batches } = outgoing;
    const { settings, connections } = this.#parts;
    const { acks, requestTimeoutMs: timeoutMs } = settings;
    for (const [queue, batch] of batches) {
      batch.isInFlight = true;
      batch.isRefused = false;
      batch.tries += 1;
      queue.inFlightCount += 1;
      queue.isRecovering = false;
    }
    this.#inFlight.set(node, (this.#inFlight.get(node) ?? 0) + 1);
    const request = outgoingRequest(outgoing, acks, timeoutMs);
    const isAnswered = acks !== 0;
    const ended = () => {
      this.#inFlight.set(node, (this.#inFlight.get(node) ?? 1) - 1);
      this.wake();
    };
    void connections
      .call({ at: "node", node }, produce, request, { timeoutMs, isAnswered })
      .then(
        (response) => this.#answers.answered(outgoing, isAnswered ? response : undefined),
        (error: Error) => this.#answers.lost(outgoing, error),
      )
      .catch((error: unknown) => this.#parts.broken(error))
      .then(ended);
  }

  #arm(dueMs: number): void {
    if (dueMs === Number.POSITIVE_INFINITY) return;
    for (const lookMs of this.#looks) if (lookMs <= dueMs) return;
    const { clock } = this.#parts;
    this.#looks.add(dueMs);
    const waitMs = Math.min(lookMsMax, Math.max(0, dueMs - clock.elapsedMs()));
    void clock.sleep(waitMs, this.ending.signal).then(() => {
      this.#looks.delete(dueMs);
      this.wake();
    });
  }
}

/** What keeps a partition's batches from being tried. */
function leaderless({ home, partition }: TopicPartitionBatches): Error | undefined {
  return noLeaderError(home.name, partition, home.places?.leaders[partition]);
}
