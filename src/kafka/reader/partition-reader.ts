/** The port's reader of partitions outside any group. */
import { TaskError } from "../../base/error.ts";
import type { Logger } from "../../observe/logger.ts";
import type { Transport } from "../calls.ts";
import type {
  Fetched,
  PartitionOffset,
  PartitionReader,
  PartitionReaderOptions,
  TopicPartition,
} from "../kafka.ts";
import { offsetReset, readsCommitted } from "./fetch-settings.ts";
import { Fetcher } from "./fetcher.ts";

export interface PartitionReaderParts {
  readonly transport: Transport;
  readonly logger: Logger;
  readonly onClose?: () => void;
}

export class KafkaPartitionReader implements PartitionReader {
  readonly #fetcher: Fetcher;
  readonly #onClose: (() => void) | undefined;
  #isClosed = false;

  /** Without `auto.offset.reset` it goes on at the beginning, as Connect does with its own topics. */
  constructor(options: PartitionReaderOptions, parts: PartitionReaderParts) {
    const { clientId, config, readCommitted = readsCommitted(config) } = options;
    const { transport, logger, onClose } = parts;
    this.#onClose = onClose;
    this.#fetcher = new Fetcher({
      transport,
      clientId,
      ...(config && { config }),
      readCommitted,
      autoOffsetReset: offsetReset(config) ?? "earliest",
      logger,
    });
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
    return this.#fetcher.poll(timeoutMs, signal);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#fetcher.close();
    this.#onClose?.();
  }
}
