/** Asks the cluster where topics are, for a producer: one question at a time, with backoff. */
import { Backoff } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import { HostError } from "../../base/error.ts";
import type { Logger } from "../../observe/logger.ts";
import type { ClusterMap } from "../calls.ts";
import type { TopicBatches } from "./topic-batches.ts";

export interface TopicAskerParts {
  readonly map: ClusterMap;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly retryBackoffMs: number;
  readonly retryBackoffMsMax: number;
  /** Something was told, or could not be. */
  readonly told: () => void;
}

export class TopicAsker {
  readonly #parts: TopicAskerParts;
  readonly #wanted = new Set<TopicBatches>();
  #isAsking = false;

  constructor(parts: TopicAskerParts) {
    this.#parts = parts;
  }

  /** `told` follows. Does nothing before the topic's `askAtMs`, which each question moves on. */
  ask(topic: TopicBatches): void {
    const { clock, retryBackoffMs, retryBackoffMsMax } = this.#parts;
    const nowMs = clock.elapsedMs();
    if (nowMs < topic.askAtMs || this.#wanted.has(topic)) return;
    topic.backoff ??= new Backoff({ firstMs: retryBackoffMs, maxMs: retryBackoffMsMax });
    topic.askAtMs = nowMs + topic.backoff.nextDelayMs();
    this.#wanted.add(topic);
    if (!this.#isAsking) void this.#run();
  }

  async #run(): Promise<void> {
    const { map, logger, told } = this.#parts;
    this.#isAsking = true;
    while (this.#wanted.size > 0) {
      const topics = [...this.#wanted];
      this.#wanted.clear();
      try {
        await map.refresh(
          topics.map(({ name }) => name),
          { create: true },
        );
        for (const topic of topics) {
          topic.isMapOld = false;
          topic.lastError = undefined;
          topic.look(map);
        }
      } catch (error) {
        // What nobody foresaw fails the records that wait, as everything does that is not retriable.
        const level = error instanceof HostError ? "debug" : "error";
        logger[level]({ err: error }, "cannot ask where topics are");
        for (const topic of topics) topic.lastError = error as Error;
      }
      told();
    }
    this.#isAsking = false;
  }
}
