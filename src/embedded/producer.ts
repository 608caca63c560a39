/** The port's producer over partitions in this process. */
import { within } from "../base/deadline.ts";
import { TaskError } from "../base/error.ts";
import { BufferRoom } from "../batch/buffer-room.ts";
import { type Compression, compressionOf } from "../batch/compression.ts";
import { KeyPartitioner } from "../batch/key-partitioner.ts";
import type { PendingBatch } from "../batch/pending-batch.ts";
import { fittingSize } from "../batch/record-size.ts";
import { SendingTime } from "../batch/sending-time.ts";
import { SpareBatches } from "../batch/spare-batches.ts";
import type { Producer, ProducerOptions, Receipt } from "../kafka/kafka.ts";
import type { RecordSlice } from "../record/record-slice.ts";
import { PartitionQueue, type QueueOwner } from "./partition-queue.ts";
import type { Surroundings } from "./setting.ts";
import type { Topic } from "./topic.ts";
import type { TopicCatalog } from "./topic-catalog.ts";

/** I5: what is buffered unless `buffer.memory` says otherwise; a disk needs less time than a broker. */
const bufferBytesMaxDefault = 4 * 1024 * 1024;

interface TopicQueues {
  readonly topic: Topic;
  readonly partitions: (PartitionQueue | undefined)[];
  /** Where records without a key go until the batch there is sent. */
  sticky: number;
}

/** Of the config it heeds batch.size, buffer.memory, compression.*, linger.ms and max.request.size. */
export class EmbeddedProducer implements Producer, QueueOwner {
  readonly batchBytesMax: number;
  readonly compression: Compression | undefined;
  readonly #requestBytesMax: number;
  readonly #lingerMs: number;
  readonly #catalog: TopicCatalog;
  readonly #buffer: BufferRoom;
  readonly #time: SendingTime;
  readonly #onClose: (producer: EmbeddedProducer) => void;
  readonly #queues = new Map<string, TopicQueues>();
  readonly #spare = new SpareBatches();
  readonly #keys = new KeyPartitioner();
  #last: TopicQueues | undefined;
  #scheduled: PartitionQueue[] = [];
  #isClosed = false;

  /** @throws ConfigError for a compression that there is none of; TaskError `batch.codec_missing`. */
  constructor(
    options: ProducerOptions,
    parts: {
      catalog: TopicCatalog;
      surroundings: Surroundings;
      onClose: (producer: EmbeddedProducer) => void;
    },
  ) {
    const number = (key: string, otherwise: number) => {
      const value = Number(options.config?.[key]);
      return Number.isFinite(value) && value >= 0 ? value : otherwise;
    };
    this.#requestBytesMax = number("max.request.size", 1024 * 1024);
    this.#buffer = new BufferRoom(number("buffer.memory", bufferBytesMaxDefault));
    this.#lingerMs = number("linger.ms", 0);
    this.batchBytesMax = number("batch.size", 256 * 1024);
    this.compression = compressionOf(options.config ?? {});
    this.#catalog = parts.catalog;
    this.#time = new SendingTime(parts.surroundings.clock);
    this.#onClose = parts.onClose;
  }

  send(record: RecordSlice, receipt: Receipt, index: number): void {
    if (this.#isClosed) throw closedError(record.topic);
    const sizeBound = fittingSize(record, this.#requestBytesMax, "max.request.size");
    let queue: PartitionQueue;
    try {
      queue = this.#queueOf(this.#queuesOf(record.topic), record);
    } catch (error) {
      // A cluster tells such things later than here, as the outcome of the record, and so does this log.
      receipt.failed([index], 0, 1, error as Error);
      return;
    }
    const timestampMs = record.timestampMs === -1 ? this.#time.nowMs() : record.timestampMs;
    this.#buffer.take(queue.add(record, timestampMs, sizeBound, receipt, index));
  }

  room(signal?: AbortSignal): Promise<void> {
    this.#time.expire();
    return this.#buffer.wait(signal);
  }

  async flush(): Promise<void> {
    const flushes: Promise<void>[] = [];
    for (const queue of this.#allQueues()) flushes.push(queue.flush());
    await Promise.all(flushes);
  }

  async close(timeoutMs: number): Promise<void> {
    this.#isClosed = true;
    const late = await within(this.flush(), timeoutMs, "late");
    if (late !== undefined) {
      for (const queue of this.#allQueues()) queue.fail(closedError(queue.log.topic));
    }
    this.#onClose(this);
  }

  takeBatch(): PendingBatch {
    return this.#spare.take();
  }

  giveBack(batch: PendingBatch, bytes: number): void {
    this.#spare.give(batch);
    this.#time.expire();
    this.#buffer.give(bytes);
  }

  schedule(queue: PartitionQueue): void {
    this.#scheduled.push(queue);
    if (this.#scheduled.length > 1) return;
    if (this.#lingerMs > 0) setTimeout(() => this.#startScheduled(), this.#lingerMs);
    else setImmediate(() => this.#startScheduled());
  }

  #startScheduled(): void {
    const queues = this.#scheduled;
    this.#scheduled = [];
    this.#time.expire();
    for (const queue of queues) queue.startWriting();
    for (const each of this.#queues.values()) {
      each.sticky = (each.sticky + 1) % each.topic.partitions.length;
    }
  }

  #queuesOf(name: string): TopicQueues {
    const last = this.#last;
    if (last !== undefined && last.topic.name === name && last.topic.isOpen) return last;
    let queues = this.#queues.get(name);
    if (queues === undefined || !queues.topic.isOpen) {
      const topic = this.#catalog.getOrAdd(name);
      queues = { topic, partitions: [], sticky: 0 };
      this.#queues.set(name, queues);
    }
    this.#last = queues;
    return queues;
  }

  #queueOf(queues: TopicQueues, record: RecordSlice): PartitionQueue {
    const { topic } = queues;
    let { partition } = record;
    if (partition === -1) partition = this.#choosePartition(queues, record);
    const queue = queues.partitions[partition];
    if (queue !== undefined) return queue;
    const log = topic.partitions[partition];
    if (log === undefined) {
      throw new TaskError(
        "kafka.partition_not_found",
        `cannot write a record to partition ${partition} of topic ${topic.name}: ` +
          `it has ${topic.partitions.length}, the first is 0`,
      );
    }
    const made = new PartitionQueue(log, this);
    queues.partitions[partition] = made;
    return made;
  }

  #choosePartition(queues: TopicQueues, { key }: RecordSlice): number {
    const partitionCount = queues.topic.partitions.length;
    if (partitionCount === 1) return 0;
    if (key.start < 0) return queues.sticky;
    return this.#keys.partitionOf(key, partitionCount);
  }

  *#allQueues(): Iterable<PartitionQueue> {
    for (const { partitions } of this.#queues.values()) {
      for (const queue of partitions) if (queue !== undefined) yield queue;
    }
  }
}

function closedError(topic: string): TaskError {
  return new TaskError(
    "kafka.producer_closed",
    `cannot write to topic ${topic}: the producer is closed`,
  );
}
