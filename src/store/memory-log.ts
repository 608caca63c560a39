/** A record log that ends with the process: what Apache's standalone worker keeps configs and statuses in. */
import { TaskError } from "../base/error.ts";
import type { RecordLog, RecordLogOptions } from "./store.ts";

type Records = Parameters<RecordLog["appendAll"]>[0];

/** Told records at once: whoever appends finds them read back when the promise resolves. */
export class MemoryLog implements RecordLog {
  readonly #options: RecordLogOptions;
  #nextOffset = 0;
  #isClosed = false;

  constructor(options: RecordLogOptions) {
    this.#options = options;
  }

  append(key: Uint8Array | null, value: Uint8Array | null): Promise<void> {
    return this.appendAll([{ key, value }]);
  }

  async appendAll(records: Records): Promise<void> {
    this.assertOpen("write to");
    for (const { key, value } of records) this.tell(key, value);
  }

  async readToEnd(): Promise<void> {
    this.assertOpen("read");
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  protected tell(key: Uint8Array | null, value: Uint8Array | null): void {
    const place = { partition: 0, offset: this.#nextOffset, timestampMs: Date.now() };
    this.#nextOffset += 1;
    this.#options.onRecord(key, value, place);
  }

  protected assertOpen(doing: string): void {
    if (!this.#isClosed) return;
    const text = `cannot ${doing} ${this.#options.topic}: it is closed`;
    throw new TaskError("kafka.topic_log_failed", text);
  }
}
