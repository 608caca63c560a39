/** The port's reader of partitions outside any group. */
import { TaskError } from "../base/error.ts";
import type { Fetched, PartitionOffset, PartitionReader, TopicPartition } from "../kafka/kafka.ts";
import type { Logger } from "../observe/logger.ts";
import { Fetcher } from "./fetcher.ts";
import type { TopicCatalog } from "./topic-catalog.ts";

export class EmbeddedReader implements PartitionReader {
  readonly #fetcher: Fetcher;
  readonly #onClose: (reader: EmbeddedReader) => void;
  #isClosed = false;

  constructor(parts: {
    catalog: TopicCatalog;
    logger: Logger;
    onClose: (reader: EmbeddedReader) => void;
  }) {
    this.#fetcher = new Fetcher({ ...parts, autoOffsetReset: "earliest" });
    this.#onClose = parts.onClose;
  }

  assign(partitions: readonly PartitionOffset[]): void {
    this.#fetcher.assign(partitions);
  }

  seek(partition: TopicPartition, offset: number): void {
    this.#fetcher.seek(partition, offset);
  }

  async poll(timeoutMs: number, signal?: AbortSignal): Promise<Fetched[]> {
    if (this.#isClosed)
      throw new TaskError("kafka.reader_closed", "cannot read: the reader is closed");
    const deadlineMs = performance.now() + timeoutMs;
    while (!this.#isClosed && !signal?.aborted) {
      const fetched = await this.#fetcher.fetch();
      const leftMs = deadlineMs - performance.now();
      if (fetched.length > 0 || leftMs <= 0) return fetched;
      await this.#fetcher.wake.wait(leftMs, signal);
    }
    return [];
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#fetcher.close();
    this.#onClose(this);
  }
}
