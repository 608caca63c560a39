/** A member of a group that polls by itself and writes down what happens to it. */
import type { Transport } from "../../../src/kafka/calls.ts";
import { KafkaSinkConsumer } from "../../../src/kafka/group/sink-consumer.ts";
import type {
  ClientConfig,
  PartitionOffset,
  SinkConsumerOptions,
  TopicPartition,
} from "../../../src/kafka/kafka.ts";
import { type Logger, silentLogger } from "../../../src/observe/logger.ts";
import { type ReadRecord, recordsOf } from "../embedded-log.ts";

export interface WatchedOptions {
  readonly name?: string;
  readonly groupId: string;
  readonly topics: SinkConsumerOptions["topics"];
  readonly config?: ClientConfig;
  readonly autoOffsetReset?: "earliest" | "latest";
  /** Events of several members in one order; each begins with the member's name. */
  readonly events?: string[];
  readonly onRevoked?: (partitions: readonly TopicPartition[]) => Promise<void>;
  readonly onRecords?: (records: readonly ReadRecord[]) => Promise<void> | void;
  readonly logger?: Logger;
}

/** What it gives up, it commits first: all that it has read. */
export class WatchedConsumer {
  readonly consumer: KafkaSinkConsumer;
  /** `assigned t0@0,t1@0`, `revoked t0`, `lost t0`; the topic's name is shortened to its first word. */
  readonly events: string[];
  readonly values: string[] = [];
  /** Polls so far that came back. */
  polls = 0;
  /** What ended its polling. */
  failure: Error | undefined;
  readonly #positions = new Map<string, PartitionOffset>();
  #stop = new AbortController();
  #polling: Promise<void> = Promise.resolve();

  constructor(transport: Transport, options: WatchedOptions) {
    const { name = "", groupId, topics, config, autoOffsetReset = "earliest" } = options;
    this.events = options.events ?? [];
    const say = (what: string, partitions: readonly (TopicPartition | PartitionOffset)[]) => {
      this.events.push(`${name === "" ? "" : `${name} `}${what} ${partitions.map(short).join()}`);
    };
    const logger = options.logger ?? silentLogger();
    this.consumer = new KafkaSinkConsumer(
      {
        clientId: name === "" ? "watched" : name,
        groupId,
        topics,
        autoOffsetReset,
        ...(config && { config }),
        listener: {
          assigned: async (partitions) => say("assigned", partitions),
          revoked: async (partitions) => {
            await options.onRevoked?.(partitions);
            const read = partitions.flatMap((each) => this.#positions.get(short(each)) ?? []);
            if (read.length > 0) await this.consumer.commit(read);
            for (const each of partitions) this.#positions.delete(short(each));
            say("revoked", partitions);
          },
          lost: async (partitions) => {
            for (const each of partitions) this.#positions.delete(short(each));
            say("lost", partitions);
          },
        },
      },
      { transport, logger },
    );
    this.#onRecords = options.onRecords;
  }

  readonly #onRecords: WatchedOptions["onRecords"];

  get held(): string[] {
    return this.consumer.assignment().map(short);
  }

  /** One poll. */
  async poll(timeoutMs = 0): Promise<void> {
    const fetched = await this.consumer.poll(timeoutMs, this.#stop.signal);
    this.polls += 1;
    const records = recordsOf(fetched);
    for (const each of fetched) {
      this.#positions.set(short(each), { ...place(each), offset: each.nextOffset });
    }
    this.values.push(...records.map(({ value }) => String(value)));
    await this.#onRecords?.(records);
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

  async #pollOn(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) await this.poll(1_000);
    } catch (error) {
      this.failure = error as Error;
    }
  }
}

function place({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition };
}

function short(each: TopicPartition | PartitionOffset): string {
  const [word] = each.topic.split("-");
  const offset = "offset" in each && !("batches" in each) ? `@${each.offset}` : "";
  return `${word}${each.partition}${offset}`;
}
