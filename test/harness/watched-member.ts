/** A member of a group whose rebalances are written down. */
import type {
  ClientConfig,
  Fetched,
  PartitionOffset,
  SinkConsumer,
  SinkConsumerOptions,
  TopicPartition,
} from "../../src/kafka/kafka.ts";
import { recordsOf } from "./embedded-log.ts";

export interface WatchedOptions {
  readonly name?: string;
  readonly groupId: string;
  readonly topics: SinkConsumerOptions["topics"];
  readonly config?: ClientConfig;
  readonly autoOffsetReset?: "earliest" | "latest";
  /** Events of several members in one order; each begins with the member's name. */
  readonly events?: string[];
  readonly onRevoked?: (partitions: readonly TopicPartition[]) => Promise<void>;
}

/** Polls when it is told to. */
export class WatchedMember {
  readonly consumer: SinkConsumer;
  /** `assigned t0@0,t1@0`, `revoked t0`, `lost t0`, by `short`. */
  readonly events: string[];
  readonly values: string[] = [];

  /** `join` makes the consumer, over whatever log. */
  constructor(join: (options: SinkConsumerOptions) => SinkConsumer, options: WatchedOptions) {
    const { name = "", groupId, topics, config, autoOffsetReset = "earliest" } = options;
    this.events = options.events ?? [];
    const say = (what: string, partitions: readonly (TopicPartition | PartitionOffset)[]) => {
      const list = partitions.map(short).sort().join();
      this.events.push(`${name === "" ? "" : `${name} `}${what} ${list}`);
    };
    this.consumer = join({
      clientId: name === "" ? "watched" : name,
      groupId,
      topics,
      autoOffsetReset,
      ...(config && { config }),
      listener: {
        assigned: async (partitions) => say("assigned", partitions),
        revoked: async (partitions) => {
          await options.onRevoked?.(partitions);
          await this.givingUp(partitions);
          say("revoked", partitions);
        },
        lost: async (partitions) => {
          this.forget(partitions);
          say("lost", partitions);
        },
      },
    });
  }

  /** By `short`, in order. */
  get held(): string[] {
    return this.consumer.assignment().map(short).sort();
  }

  /** One poll. */
  async poll(timeoutMs = 0, signal?: AbortSignal): Promise<readonly Fetched[]> {
    const fetched = await this.consumer.poll(timeoutMs, signal);
    this.values.push(...recordsOf(fetched).map(({ value }) => String(value)));
    return fetched;
  }

  /** The last moment in which something may be committed. */
  protected async givingUp(_partitions: readonly TopicPartition[]): Promise<void> {}

  protected forget(_partitions: readonly TopicPartition[]): void {}
}

/** `t0`, or `t0@5` with an offset; of the topic's name the first word only. */
export function short(each: TopicPartition | PartitionOffset): string {
  const [word] = each.topic.split("-");
  const offset = "offset" in each && !("batches" in each) ? `@${each.offset}` : "";
  return `${word}${each.partition}${offset}`;
}
