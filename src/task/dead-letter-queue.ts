/**
 * Where a task's dead letters go: a topic with a producer of its own. Letters are sent as they come;
 * whoever is about to move offsets asks `settled` first, which rejects when one was not stored.
 */
import { type Deferred, deferred } from "../base/deferred.ts";
import { errorLine, TaskError } from "../base/error.ts";
import type { Producer, Receipt, TopicPartition } from "../kafka/kafka.ts";
import { newRecordSlice } from "../record/record-slice.ts";
import { type DeadLetter, fillDeadLetter, type LetterSender } from "./dead-letter.ts";
import {
  type DeadLetterSettings,
  deadLetterPrefix,
  deadLetterSettings,
} from "./dead-letter-settings.ts";
import type { TaskParts, TaskSpec } from "./task.ts";

/** I5: letters that have no outcome yet. */
const pendingMax = 10_000;
/** I5: partitions whose first failure is remembered; the task fails by any of them. */
const failuresMax = 1_000;
const closeMsMax = 30_000;

interface Pending {
  /** Of the record, not of the letter. */
  readonly place: string;
  readonly done: ((error?: Error) => void) | undefined;
  readonly waiters: (() => void)[];
}

/** Open while its task is. */
export class DeadLetterQueue {
  readonly settings: DeadLetterSettings;
  readonly #parts: TaskParts;
  readonly #sender: LetterSender;
  readonly #producer: Producer;
  readonly #record = newRecordSlice();
  readonly #receipt: Receipt;
  readonly #pending = new Map<number, Pending>();
  readonly #failures = new Map<string, Error>();
  #roomWaiter: Deferred<void> | undefined;
  #next = 0;
  #isClosed = false;

  private constructor(spec: TaskSpec, parts: TaskParts, settings: DeadLetterSettings) {
    const { connector, task } = spec.id;
    this.settings = settings;
    this.#parts = parts;
    this.#sender = { connector, task };
    this.#record.topic = settings.topic;
    this.#receipt = this.#newReceipt();
    this.#producer = parts.kafka.producer({
      clientId: `connector-dlq-producer-${connector}-${task}`,
    });
  }

  /**
   * Makes the topic where it is missing, as Connect does when a task starts. Undefined where the connector names none.
   * @throws TaskError `task.dead_letter_topic`
   */
  static async open(spec: TaskSpec, parts: TaskParts): Promise<DeadLetterQueue | undefined> {
    const settings = deadLetterSettings(spec.connectorConfig);
    if (settings === undefined) return undefined;
    await makeTopic(settings, parts);
    return new DeadLetterQueue(spec, parts, settings);
  }

  /**
   * Copies the letter into the producer; `done` is told once, perhaps inside this call, what became of
   * it. A letter that cannot be stored is logged and counted, and `settled` rejects from then on.
   */
  write(letter: DeadLetter, done?: (error?: Error) => void): void {
    const index = this.#next;
    this.#next += 1;
    this.#parts.meter.deadLetterProduceRequests += 1;
    this.#pending.set(index, { place: placeOf(letter.original), done, waiters: [] });
    try {
      if (this.#isClosed) throw closedError(this.settings.topic);
      this.#send(letter, index);
    } catch (error) {
      this.#failed(index, error as Error);
    }
  }

  #send(letter: DeadLetter, index: number): void {
    const { contextHeaders } = this.settings;
    fillDeadLetter(this.#record, letter, contextHeaders ? this.#sender : undefined);
    try {
      this.#producer.send(this.#record, this.#receipt, index);
    } catch (error) {
      // A record just below the limit has no room for a trace; it is worth more without than not at all.
      if (!contextHeaders) throw error;
      fillDeadLetter(this.#record, letter, this.#sender, false);
      this.#producer.send(this.#record, this.#receipt, index);
    }
  }

  /** Resolves as soon as there is room for more letters, or the signal fires. I5: ask it before each batch of records. */
  async room(signal?: AbortSignal): Promise<void> {
    const wake = () => this.#roomWaiter?.resolve();
    signal?.addEventListener("abort", wake, { once: true });
    try {
      while (this.#pending.size >= pendingMax && !signal?.aborted) {
        this.#roomWaiter ??= deferred();
        await this.#roomWaiter.promise;
      }
    } finally {
      signal?.removeEventListener("abort", wake);
    }
    await this.#producer.room(signal);
  }

  /** Letters without an outcome. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  /**
   * Resolves once every letter that was written so far for records of these partitions is stored; all
   * letters when none are named. I2: asked before offsets of these partitions move.
   * @throws TaskError `task.dead_letter_failed` when one was not stored
   */
  async settled(partitions?: readonly TopicPartition[]): Promise<void> {
    const places = partitions && new Set(partitions.map((one) => keyOf(one)));
    const all = deferred<void>();
    let left = 1;
    const one = () => {
      left -= 1;
      if (left === 0) all.resolve();
    };
    for (const { place, waiters } of this.#pending.values()) {
      if (places !== undefined && place !== "" && !places.has(place)) continue;
      left += 1;
      waiters.push(one);
    }
    one();
    await all.promise;
    for (const [place, error] of this.#failures) {
      if (places === undefined || place === "" || places.has(place)) throw this.#unsettled(error);
    }
  }

  /** These belong to somebody else now, who reads on from what was committed. */
  forget(partitions: readonly TopicPartition[]): void {
    for (const one of partitions) this.#failures.delete(keyOf(one));
  }

  /** What has no outcome then fails. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      await this.#producer.close(closeMsMax);
    } catch (error) {
      this.#parts.logger.warn({ err: error }, "cannot close the producer of dead letters");
    }
    for (const index of [...this.#pending.keys()]) {
      this.#failed(index, closedError(this.settings.topic));
    }
  }

  #newReceipt(): Receipt {
    return {
      stored: (indexes, from, to) => {
        for (let at = from; at < to; at += 1) this.#settle(indexes[at] as number, undefined);
      },
      failed: (indexes, from, to, error) => {
        for (let at = from; at < to; at += 1) this.#failed(indexes[at] as number, error);
      },
    };
  }

  #failed(index: number, error: Error): void {
    const pending = this.#pending.get(index);
    if (pending === undefined) return;
    this.#parts.meter.deadLetterProduceFailures += 1;
    this.#parts.logger.error(
      { err: error },
      `Could not produce message to dead letter queue. topic=${this.settings.topic}`,
    );
    if (!this.#failures.has(pending.place) && this.#failures.size < failuresMax) {
      this.#failures.set(pending.place, error);
    }
    this.#settle(index, error);
  }

  #settle(index: number, error: Error | undefined): void {
    const pending = this.#pending.get(index);
    if (pending === undefined) return;
    this.#pending.delete(index);
    pending.done?.(error);
    for (const told of pending.waiters) told();
    if (this.#pending.size >= pendingMax) return;
    this.#roomWaiter?.resolve();
    this.#roomWaiter = undefined;
  }

  #unsettled(cause: Error): TaskError {
    const { topic } = this.settings;
    return new TaskError(
      "task.dead_letter_failed",
      `cannot move offsets past a failed record: its dead letter could not be written to topic ${topic}`,
      {
        cause,
        javaClass: "org.apache.kafka.connect.errors.ConnectException",
        hint: `mend topic ${topic} or the right to write to it and restart the task, which reads the record again`,
      },
    );
  }
}

function closedError(topic: string): TaskError {
  return new TaskError(
    "task.dead_letter_failed",
    `cannot write a dead letter to topic ${topic}: the task has ended`,
  );
}

async function makeTopic(settings: DeadLetterSettings, parts: TaskParts): Promise<void> {
  const { topic, replicationFactor } = settings;
  const { admin } = parts.kafka;
  try {
    if ((await admin.listTopics()).includes(topic)) return;
    parts.logger.error(`Topic ${topic} doesn't exist. Will attempt to create topic.`);
    await admin.createTopic({ name: topic, partitionCount: 1, replicationFactor, config: {} });
  } catch (cause) {
    throw new TaskError(
      "task.dead_letter_topic",
      `Could not initialize dead letter queue with topic=${topic}`,
      {
        cause,
        javaClass: "org.apache.kafka.connect.errors.ConnectException",
        hint:
          `create topic ${topic} beforehand, or set ${deadLetterPrefix}topic.replication.factor ` +
          `(now ${replicationFactor}) to at most the number of brokers; cause: ${errorLine(cause)}`,
      },
    );
  }
}

function placeOf(original: TopicPartition | null): string {
  // A record that no partition holds holds back all of them.
  return original === null || original.partition < 0 ? "" : keyOf(original);
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
