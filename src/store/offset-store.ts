import { TaskError } from "../base/error.ts";
import type { Logger } from "../observe/logger.ts";
import type { SourceOffset } from "../plugin/plugin.ts";
import { decodeText } from "./java-json.ts";
import { decodeOffsetKey, encodeOffset, type OffsetKey, offsetKey } from "./offset-codec.ts";
import type { OpenLog, RecordLog } from "./store.ts";

export interface OffsetStoreOptions {
  readonly openLog: OpenLog;
  readonly topic: string;
  readonly partitionCount: number;
  readonly logger: Logger;
}

interface Stored {
  /** The key as the topic has it; a new offset goes under the same bytes. */
  readonly keyText: string;
  readonly offset: string;
}

/** Resolves when the topic was read to its end. */
export async function openOffsetStore(options: OffsetStoreOptions): Promise<OffsetStore> {
  const store = new OffsetStore();
  await store.open(options);
  return store;
}

/** The committed source offsets of all connectors; `SourceOffsetStore` of the task door. */
export class OffsetStore {
  /** By connector, then by the partition in canonical form. */
  readonly #offsets = new Map<string, Map<string, Stored>>();
  #log!: RecordLog;

  async open({ openLog, topic, partitionCount, logger }: OffsetStoreOptions): Promise<void> {
    this.#log = await openLog({
      topic,
      partitionCount,
      onRecord: (keyBytes, value, { partition, offset }) => {
        const key = decodeOffsetKey(keyBytes);
        const text = value === null ? null : decodeText(value);
        if (key === undefined || text === undefined) {
          logger.warn({ topic, partition, offset }, "offset record ignored: it cannot be read");
        } else {
          this.#take(key, text);
        }
      },
    });
    await this.#log.readToEnd();
  }

  /** In the order asked; null where nothing is committed. Reads the topic to its end first. */
  async read(connector: string, partitions: readonly string[]): Promise<(string | null)[]> {
    const keys = partitions.map((partition) => keyOf(connector, partition));
    await this.#log.readToEnd();
    const known = this.#offsets.get(connector);
    return keys.map((key) => known?.get(key.partition)?.offset ?? null);
  }

  /** Durable when it resolves. Calls of one connector's task are to be made one after the other. */
  async write(connector: string, offsets: readonly SourceOffset[]): Promise<void> {
    if (offsets.length === 0) return;
    const known = this.#offsets.get(connector);
    await this.#log.appendAll(
      offsets.map(({ partition, offset }) => {
        const key = keyOf(connector, partition);
        return encodeOffset(known?.get(key.partition)?.keyText ?? key.text, offset);
      }),
    );
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  #take({ text, connector, partition }: OffsetKey, offset: string | null): void {
    const known = this.#offsets.get(connector) ?? new Map<string, Stored>();
    if (offset === null) known.delete(partition);
    else known.set(partition, { keyText: text, offset });
    if (known.size > 0) this.#offsets.set(connector, known);
    else this.#offsets.delete(connector);
  }
}

function keyOf(connector: string, partition: string): OffsetKey {
  try {
    return offsetKey(connector, partition);
  } catch (cause) {
    const message = `the source partition ${partition.slice(0, 200)} of ${connector} is not JSON`;
    throw new TaskError("plugin.protocol_error", message, { cause });
  }
}
