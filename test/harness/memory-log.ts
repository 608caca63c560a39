import { setImmediate as turn } from "node:timers/promises";
import type { OpenLog, RecordLogOptions } from "../../src/store/store.ts";

export interface MemoryRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
}

/**
 * Topics in memory. They outlive the logs that are opened on them, as a broker outlives a worker; what
 * is appended reaches every open log in order, later, never inside the call.
 */
export class MemoryTopics {
  readonly #topics = new Map<string, MemoryRecord[]>();
  readonly #readers = new Set<() => void>();
  /** Set by a test: the next appends reject with it. */
  failure: unknown;

  /** Everything a topic holds, as texts. */
  texts(topic: string): { key: string | null; value: string | null }[] {
    return this.records(topic).map(({ key, value }) => ({
      key: key === null ? null : Buffer.from(key).toString(),
      value: value === null ? null : Buffer.from(value).toString(),
    }));
  }

  records(topic: string): MemoryRecord[] {
    const records = this.#topics.get(topic) ?? [];
    this.#topics.set(topic, records);
    return records;
  }

  readonly open: OpenLog = async ({ topic, onRecord }: RecordLogOptions) => {
    const records = this.records(topic);
    let next = 0;
    const read = () => {
      for (; next < records.length; next += 1) {
        const { key, value } = records[next] as MemoryRecord;
        onRecord(key, value, { partition: 0, offset: next, timestampMs: next });
      }
    };
    this.#readers.add(read);
    const appendAll = async (added: readonly MemoryRecord[]) => {
      await turn();
      if (this.failure !== undefined) throw this.failure;
      records.push(...added);
      setImmediate(() => {
        for (const reader of this.#readers) reader();
      });
    };
    return {
      append: (key, value) => appendAll([{ key, value }]),
      appendAll,
      async readToEnd() {
        await turn();
        read();
      },
      close: async () => {
        this.#readers.delete(read);
      },
    };
  };
}
