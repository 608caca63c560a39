import { writeJson } from "./canonical-json.ts";
import type { OffsetReader } from "./connector-definition.ts";
import { parseOffset } from "./host-calls.ts";
import type { SourceOffset, SourcePartition } from "./source-record.ts";

const partitionsMax = 100_000;

/**
 * Where to go on: what this task has sent already, else what the host has stored. So a `read` that
 * begins again after a retriable error repeats nothing.
 */
export class SourceOffsets implements OffsetReader {
  readonly #stored: OffsetReader;
  readonly #sent = new Map<string, string | null>();

  constructor(stored: OffsetReader) {
    this.#stored = stored;
  }

  sent(partition: string, offset: string | null): void {
    this.#sent.delete(partition);
    this.#sent.set(partition, offset);
    if (this.#sent.size <= partitionsMax) return;
    // The oldest are read from the host again: at worst some records are repeated.
    for (const oldest of this.#sent.keys()) {
      this.#sent.delete(oldest);
      return;
    }
  }

  async offset(partition: SourcePartition): Promise<SourceOffset | null> {
    return (await this.offsets([partition]))[0] ?? null;
  }

  async offsets(partitions: readonly SourcePartition[]): Promise<(SourceOffset | null)[]> {
    const texts = partitions.map((one) => writeJson(one));
    const unknown = partitions.filter((_, at) => !this.#sent.has(texts[at]!));
    const stored = unknown.length === 0 ? [] : await this.#stored.offsets(unknown);
    let next = 0;
    return texts.map((text) => {
      if (this.#sent.has(text)) return parseOffset(this.#sent.get(text));
      next += 1;
      return stored[next - 1] ?? null;
    });
  }
}
