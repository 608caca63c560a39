import { Backoff } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import { unlessAborted } from "../../base/deadline.ts";
import { errorLine, RetriableError } from "../../base/error.ts";
import type { Logger } from "../../observe/logger.ts";
import { brokerCode, brokerError } from "../broker-error.ts";
import type { ClusterMap } from "../calls.ts";
import type { SinkConsumerOptions } from "../kafka.ts";

export interface SubscribedTopicsOptions {
  readonly map: ClusterMap;
  readonly topics: SinkConsumerOptions["topics"];
  /** Lets the cluster make a topic that is named and missing, as Java's consumers do by default. */
  readonly mayCreate: boolean;
  /** How old an answer about them may get. */
  readonly ageMsMax: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Another look was taken, or it failed for good. */
  onLook(): void;
}

/** Kafka's own; a pattern never means them (`exclude.internal.topics`). */
const internalTopics = new Set(["__consumer_offsets", "__transaction_state"]);

/** Topics that are not there are looked for in shorter and then longer steps. */
const missingMsMin = 100;
const missingMsMax = 2_000;

/** The topics that a member reads, and as leader those of its group, as they come, grow and go. */
export class SubscribedTopics {
  readonly #options: SubscribedTopicsOptions;
  readonly #missing = new Backoff({ firstMs: missingMsMin, maxMs: missingMsMax });
  #names: readonly string[];
  #others: readonly string[] = [];
  /** What reading cannot go on with, until it is asked for. */
  failure: unknown;

  constructor(options: SubscribedTopicsOptions) {
    this.#options = options;
    const { topics } = options;
    this.#names = typeof topics === "function" ? [] : [...new Set(topics)].sort();
  }

  /** What the member subscribes to, sorted: also what is not there, if it was named. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** Looks at these too: the leader's group reads them. */
  alsoWatch(topics: readonly string[]): void {
    this.#others = topics.filter((topic) => !this.#names.includes(topic));
  }

  /** @throws RetriableError when no broker answers; TaskError for a topic that may not be read */
  async look(): Promise<void> {
    const { map, topics, mayCreate } = this.#options;
    if (typeof topics === "function") {
      const all = await map.topicNames();
      const found = all.filter((name) => !internalTopics.has(name) && topics(name));
      if (found.length > 0) await map.refresh(found);
      this.#names = found.filter((name) => map.topic(name)?.isInternal !== true).sort();
    } else if (topics.length > 0) {
      await map.refresh(topics, { create: mayCreate });
      for (const topic of topics) this.#assertReadable(topic);
    }
    if (this.#others.length > 0) await map.refresh(this.#others);
  }

  /** How many partitions each of these has, as far as it is known; without those that do not exist. */
  counts(topics: readonly string[]): ReadonlyMap<string, number> {
    const { map } = this.#options;
    const counts = new Map<string, number>();
    for (const topic of topics) {
      const places = map.topic(topic);
      if (places !== undefined) counts.set(topic, places.leaders.length);
    }
    return counts;
  }

  /** Looks again and again until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, ageMsMax, logger, onLook } = this.#options;
    while (!signal.aborted) {
      const pauseMs = this.#isAnyMissing ? this.#missing.nextDelayMs() : ageMsMax;
      await clock.sleep(Math.min(pauseMs, ageMsMax), signal);
      if (signal.aborted) return;
      try {
        await unlessAborted(this.look(), signal);
        if (!this.#isAnyMissing) this.#missing.reset();
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof RetriableError) {
          logger.debug({ reason: errorLine(error) }, "cannot look for topics, trying again");
        } else this.failure = error;
      }
      onLook();
    }
  }

  get #isAnyMissing(): boolean {
    return this.#names.some((name) => this.#options.map.topic(name) === undefined);
  }

  #assertReadable(topic: string): void {
    const code = this.#options.map.topicError(topic) ?? brokerCode.none;
    const isRefused =
      code === brokerCode.topicAuthorizationFailed || code === brokerCode.invalidTopic;
    if (isRefused) throw brokerError(code, `read topic ${topic}`);
  }
}
