/** The port's producer over an Apache Kafka cluster: records into batches; the sender has the rest. */
import { type Clock, systemClock } from "../../base/clock.ts";
import { within } from "../../base/deadline.ts";
import { BufferRoom } from "../../batch/buffer-room.ts";
import { KeyPartitioner } from "../../batch/key-partitioner.ts";
import { fittingSize } from "../../batch/record-size.ts";
import { SendingTime } from "../../batch/sending-time.ts";
import type { Logger } from "../../observe/logger.ts";
import type { RecordSlice } from "../../record/record-slice.ts";
import type { ClusterMap, Connections, TopicPlaces, Transport } from "../calls.ts";
import type { Producer, ProducerOptions, Receipt } from "../kafka.ts";
import { BatchEnds } from "./batch-ends.ts";
import { OutcomeBarrier } from "./outcome-barrier.ts";
import {
  brokenError,
  brokenProducerError,
  closedError,
  missingPartitionError,
  missingTopicError,
  refusedTopicError,
  unansweredTopicError,
} from "./produce-error.ts";
import { type ProducerSettings, producerSettings } from "./producer-settings.ts";
import { Sender } from "./sender.ts";
import { TopicBatches, type TopicPartitionBatches } from "./topic-batches.ts";
import { isWorthWaiting, topicWaitMsMax } from "./topic-wait.ts";

/** What a producer needs beside its options. */
export interface ProducerParts {
  readonly transport: Transport;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** 0 (inclusive) to 1 (exclusive); a test hands in its own. */
  readonly random?: () => number;
  readonly onClose?: (producer: KafkaProducer) => void;
}

export class KafkaProducer implements Producer {
  readonly #settings: ProducerSettings;
  readonly #map: ClusterMap;
  readonly #connections: Connections;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #logger: Logger;
  readonly #onClose: ((producer: KafkaProducer) => void) | undefined;
  readonly #room: BufferRoom;
  readonly #barrier = new OutcomeBarrier();
  readonly #ends: BatchEnds;
  readonly #sender: Sender;
  readonly #time: SendingTime;
  readonly #keys = new KeyPartitioner();
  readonly #topics = new Map<string, TopicBatches>();
  readonly #stagedTopics = new Set<TopicBatches>();
  readonly #enter = () => this.#barrier.enter();
  #last: TopicBatches | undefined;
  /** Nothing can be written any more. */
  #fatal: Error | undefined;
  #closing: Promise<void> | undefined;

  /** @throws ConfigError `config.invalid` for keys that cannot be used */
  constructor(options: ProducerOptions, parts: ProducerParts) {
    const { transport, logger, clock = systemClock, random = Math.random } = parts;
    const { clientId, config } = options;
    const settings = producerSettings(config);
    this.#settings = settings;
    this.#map = transport.map;
    this.#connections = transport.connections({ clientId, ...(config && { config }) });
    this.#clock = clock;
    this.#random = random;
    this.#onClose = parts.onClose;
    this.#time = new SendingTime(clock);
    this.#room = new BufferRoom(settings.bufferBytesMax);
    this.#logger = logger.child({ client: clientId });
    this.#ends = new BatchEnds(this.#room, this.#barrier, this.#broken);
    this.#sender = new Sender({
      settings,
      connections: this.#connections,
      map: this.#map,
      clock,
      logger: this.#logger,
      room: this.#room,
      barrier: this.#barrier,
      ends: this.#ends,
      lookAtStaged: (nowMs) => this.#lookAtStaged(nowMs),
      failed: (error) => this.#failEverything(error),
      broken: this.#broken,
    });
  }

  send(record: RecordSlice, receipt: Receipt, index: number): void {
    if (this.#closing !== undefined) throw closedError(record.topic);
    if (this.#fatal !== undefined) throw this.#fatal;
    const { requestBytesMax, bufferBytesMax } = this.#settings;
    const sizeBound = fittingSize(record, requestBytesMax, "max.request.size");
    if (bufferBytesMax < requestBytesMax) fittingSize(record, bufferBytesMax, "buffer.memory");
    const last = this.#last;
    const topic = last?.name === record.topic ? last : this.#topicOf(record.topic);
    const timestampMs = record.timestampMs === -1 ? this.#time.nowMs() : record.timestampMs;
    const { places } = topic;
    if (places === undefined || !topic.staged.isEmpty) {
      this.#stage(topic, record, timestampMs, receipt, index);
    } else if (record.partition >= places.leaders.length) {
      // The topic may have grown.
      topic.isMapOld = true;
      this.#stage(topic, record, timestampMs, receipt, index);
    } else {
      const queue = topic.partition(this.#partitionOf(topic, places, record, sizeBound));
      this.#add(queue, record, timestampMs, sizeBound, receipt, index);
    }
  }

  room(signal?: AbortSignal): Promise<void> {
    this.#time.expire();
    const room = this.#room.wait(signal);
    if (this.#room.isWanted) this.#sender.wake();
    return room;
  }

  flush(): Promise<void> {
    const passed = this.#barrier.passed();
    this.#sender.wake();
    return passed;
  }

  close(timeoutMs: number): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #close(timeoutMs: number): Promise<void> {
    const late = await within(this.flush(), timeoutMs, "late");
    this.#sender.ending.abort();
    if (late !== undefined) this.#failAll((topic) => closedError(topic.name));
    await this.#connections.close();
    this.#onClose?.(this);
  }

  #topicOf(name: string): TopicBatches {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      const { batchBytesMax } = this.#settings;
      topic = new TopicBatches(name, batchBytesMax, this.#random, this.#broken);
      topic.isMapOld = !topic.look(this.#map);
      this.#topics.set(name, topic);
    }
    this.#last = topic;
    return topic;
  }

  #partitionOf(
    topic: TopicBatches,
    places: TopicPlaces,
    record: RecordSlice,
    sizeBound: number,
  ): number {
    if (record.partition >= 0) return record.partition;
    if (record.key.start < 0 || this.#settings.ignoresKeys) {
      return topic.stickyPartition(places, sizeBound);
    }
    return this.#keys.partitionOf(record.key, places.leaders.length);
  }

  #add(
    queue: TopicPartitionBatches,
    record: RecordSlice,
    timestampMs: number,
    sizeBound: number,
    receipt: Receipt,
    index: number,
    stamp?: number,
  ): void {
    let { open } = queue;
    if (open !== undefined) {
      const { sizeBytes } = open.pending.builder;
      if (sizeBytes + sizeBound > queue.home.batchBytesMax) {
        queue.seal();
        this.#sender.filled(queue);
        open = undefined;
      }
    }
    if (open === undefined) {
      open = this.#ends.begin(this.#clock.elapsedMs(), stamp);
      queue.open = open;
      this.#sender.opened(queue);
    }
    open.pending.add(record, timestampMs, receipt, index);
    this.#ends.hold(open, open.pending.builder.capacityBytes);
  }

  #stage(
    topic: TopicBatches,
    record: RecordSlice,
    timestampMs: number,
    receipt: Receipt,
    index: number,
  ): void {
    if (topic.staged.isEmpty) {
      topic.stagedSinceMs = this.#clock.elapsedMs();
      this.#stagedTopics.add(topic);
      this.#sender.ask(topic);
      this.#sender.wake();
    }
    this.#room.take(topic.staged.add(record, timestampMs, receipt, index, this.#enter));
  }

  /** Moves on what waited for its topic, or gives it up. */
  #lookAtStaged(nowMs: number): void {
    for (const topic of this.#stagedTopics) {
      const places = topic.isMapOld || !topic.look(this.#map) ? undefined : topic.places;
      if (places !== undefined) {
        this.#stagedTopics.delete(topic);
        this.#unstage(topic, places);
        continue;
      }
      const error = this.#whyNotWait(topic, nowMs - topic.stagedSinceMs);
      if (error === undefined) {
        this.#sender.ask(topic);
        continue;
      }
      this.#stagedTopics.delete(topic);
      topic.staged.fail(error, this.#left);
    }
  }

  /** Why records should not wait for the topic any longer; undefined when they should. */
  #whyNotWait(topic: TopicBatches, waitedMs: number): Error | undefined {
    const code = topic.isMapOld ? 0 : (this.#map.topicError(topic.name) ?? 0);
    if (!isWorthWaiting(code)) return refusedTopicError(code, topic.name);
    const { cannotAsk, name } = topic;
    if (cannotAsk !== undefined) {
      return brokenError({ topic: name, partition: -1, recordCount: 0 }, cannotAsk);
    }
    if (waitedMs < topicWaitMsMax(this.#settings, topic.wasKnown)) return undefined;
    if (topic.isMapOld) return unansweredTopicError(topic.name, waitedMs, topic.lastError);
    return missingTopicError(topic.name, waitedMs, topic.wasKnown);
  }

  #unstage(topic: TopicBatches, places: TopicPlaces): void {
    const count = places.leaders.length;
    const bytesMax = Number.MAX_SAFE_INTEGER;
    topic.staged.moveTo(
      topic.name,
      (record, receipt, index, stamp) => {
        if (record.partition >= count) {
          const error = missingPartitionError(topic.name, record.partition, count);
          receipt.failed([index], 0, 1, error);
          return;
        }
        const sizeBound = fittingSize(record, bytesMax, "max.request.size");
        const queue = topic.partition(this.#partitionOf(topic, places, record, sizeBound));
        this.#add(queue, record, record.timestampMs, sizeBound, receipt, index, stamp);
      },
      this.#left,
    );
  }

  /** A chunk of staged records is gone. */
  readonly #left = (bytes: number, stamp: number) => {
    this.#room.give(bytes);
    this.#barrier.leave(stamp);
  };

  /** I7: whatever goes wrong here, each record has an outcome and no flush waits for ever. */
  readonly #broken = (cause: unknown): Error => {
    this.#logger.error({ err: cause }, "a producer met a fault of this program");
    if (this.#fatal !== undefined) return this.#fatal;
    const error = brokenProducerError(cause);
    this.#fatal = error;
    this.#failEverything(error);
    return error;
  };

  #failEverything(error: Error): void {
    if (error.name === "FencedError") this.#fatal = error;
    this.#failAll((topic, partition, recordCount) => {
      if (this.#fatal !== undefined) return error;
      return brokenError({ topic: topic.name, partition, recordCount }, error);
    });
  }

  #failAll(errorOf: (topic: TopicBatches, partition: number, records: number) => Error): void {
    for (const topic of this.#topics.values()) {
      topic.staged.fail(errorOf(topic, -1, 0), this.#left);
      for (const queue of topic.partitions()) {
        if (queue.isEmpty) continue;
        const batches = queue.open === undefined ? queue.sealed : [...queue.sealed, queue.open];
        const records = batches.reduce((sum, { recordCount }) => sum + recordCount, 0);
        this.#ends.failAll(queue, errorOf(topic, queue.partition, records));
      }
    }
    this.#stagedTopics.clear();
  }
}
