/** A member of a group of a cluster that polls by itself. */
import type { Transport } from "../../../src/kafka/calls.ts";
import { KafkaSinkConsumer } from "../../../src/kafka/group/sink-consumer.ts";
import type { Fetched, PartitionOffset, TopicPartition } from "../../../src/kafka/kafka.ts";
import { type Logger, silentLogger } from "../../../src/observe/logger.ts";
import { type ReadRecord, recordsOf } from "../embedded-log.ts";
import { short, WatchedMember, type WatchedOptions } from "../watched-member.ts";

export interface WatchedConsumerOptions extends WatchedOptions {
  readonly onRecords?: (records: readonly ReadRecord[]) => Promise<void> | void;
  readonly logger?: Logger;
}

/** What it gives up, it commits first: all that it has read. */
export class WatchedConsumer extends WatchedMember {
  /** Polls so far that came back. */
  polls = 0;
  /** What ended its polling. */
  failure: Error | undefined;
  readonly #positions = new Map<string, PartitionOffset>();
  readonly #onRecords: WatchedConsumerOptions["onRecords"];
  #stop = new AbortController();
  #polling: Promise<void> = Promise.resolve();

  constructor(transport: Transport, options: WatchedConsumerOptions) {
    const parts = { transport, logger: options.logger ?? silentLogger() };
    super((of) => new KafkaSinkConsumer(of, parts), options);
    this.#onRecords = options.onRecords;
  }

  override async poll(timeoutMs = 0): Promise<readonly Fetched[]> {
    const fetched = await super.poll(timeoutMs, this.#stop.signal);
    this.polls += 1;
    for (const { topic, partition, nextOffset } of fetched) {
      this.#positions.set(short({ topic, partition }), { topic, partition, offset: nextOffset });
    }
    await this.#onRecords?.(recordsOf(fetched));
    return fetched;
  }

  /** Polls on and on, until `pause` or `close`. */
  start(): this {
    this.#stop = new AbortController();
    this.#polling = this.#pollOn(this.#stop.signal);
    return this;
  }

  /** Stays away from its group. */
  async pause(): Promise<void> {
    this.#stop.abort();
    await this.#polling;
  }

  async close(): Promise<void> {
    await this.pause();
    await this.consumer.close();
  }

  protected override async givingUp(partitions: readonly TopicPartition[]): Promise<void> {
    const read = partitions.flatMap((each) => this.#positions.get(short(each)) ?? []);
    if (read.length > 0) await this.consumer.commit(read);
    this.forget(partitions);
  }

  protected override forget(partitions: readonly TopicPartition[]): void {
    for (const each of partitions) this.#positions.delete(short(each));
  }

  async #pollOn(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) await this.poll(1_000);
    } catch (error) {
      this.failure = error as Error;
    }
  }
}
