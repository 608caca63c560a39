import { writeJson } from "./canonical-json.ts";
import { DataError } from "./plugin-error.ts";
import type { SourceOffset } from "./source-record.ts";
import { Arena, VarintColumn } from "./wire.ts";
import type { MessageParts } from "./wire-message.ts";

/** Where the offsets of a batch stand: with each record, or once for each source partition. */
export type OffsetMode = "per-record" | "last";

/** A source partition's id or text, and an offset text; null = none. */
export type OffsetEntry<Partition> = readonly [partition: Partition, offset: string | null];

/** The source partitions and offsets of a batch: `prepare` may throw, then `push` or `drop`. */
export interface OffsetColumns {
  /** Bytes of offset text in the batch, with what is prepared. */
  readonly bytes: number;
  prepare(partition: number, offset: SourceOffset | null | undefined): void;
  push(): void;
  drop(): void;
  /** Adds the columns; after that only `lastOffsets` and `clear` may be called. */
  finish(parts: MessageParts): void;
  /** The last offset of each source partition, by its id. */
  lastOffsets(): Iterable<OffsetEntry<number>>;
  clear(): void;
}

const textBytesMax = 64 * 1024;

/** The columns for a mode; "none": records that have none, as those of a stage. */
export function makeOffsetColumns(mode: OffsetMode | "none"): OffsetColumns {
  if (mode === "none") return noOffsets;
  return mode === "last" ? new LastOffsets() : new RecordOffsets();
}

const noOffsets: OffsetColumns = {
  bytes: 0,
  prepare: () => {},
  push: () => {},
  drop: () => {},
  finish: () => {},
  lastOffsets: () => [],
  clear: () => {},
};

function textOf(offset: SourceOffset): string {
  const text = writeJson(offset);
  if (text.length * 3 > textBytesMax && Buffer.byteLength(text) > textBytesMax) {
    throw new DataError(`a source offset is longer than ${textBytesMax} bytes`);
  }
  return text;
}

/** An offset for each record, written to the arena at once; one that repeats costs one byte. */
class RecordOffsets implements OffsetColumns {
  readonly #arena = new Arena();
  readonly #partitions = new VarintColumn();
  readonly #sizes = new VarintColumn();
  readonly #last = new Map<number, string | null>();
  /** Of the last record pushed: its partition, and where its text is; -1 = null. */
  #partition = 0;
  #start = 0;
  #end = -1;
  #prepared = 0;
  #preparedNull = false;
  /** Where the prepared text begins. */
  #mark = 0;

  get bytes(): number {
    return this.#arena.length;
  }

  prepare(partition: number, offset: SourceOffset | null | undefined): void {
    this.#prepared = partition;
    this.#mark = this.#arena.length;
    this.#preparedNull = offset === null || offset === undefined;
    if (offset !== null && offset !== undefined) this.#arena.writeText(textOf(offset));
  }

  push(): void {
    this.#partitions.push(this.#prepared);
    if (this.#prepared !== this.#partition) this.#keepLast();
    this.#partition = this.#prepared;
    const { length } = this.#arena;
    if (this.#preparedNull) {
      this.#sizes.push(0);
      this.#end = -1;
    } else if (this.#arena.endsTwice(this.#start, this.#end, this.#mark)) {
      this.#arena.length = this.#mark;
      this.#sizes.push(1);
    } else {
      this.#sizes.push(length - this.#mark + 2);
      this.#start = this.#mark;
      this.#end = length;
    }
  }

  drop(): void {
    this.#arena.length = this.#mark;
  }

  finish(parts: MessageParts): void {
    this.#keepLast();
    parts.zeroOneOrN(14, this.#partitions);
    parts.add(15, this.#sizes.bytes());
    parts.add(16, this.#arena.bytes());
  }

  lastOffsets(): Iterable<OffsetEntry<number>> {
    return this.#last;
  }

  clear(): void {
    this.#arena.length = 0;
    this.#partitions.clear();
    this.#sizes.clear();
    this.#last.clear();
    this.#end = -1;
  }

  #keepLast(): void {
    if (this.#partition === 0) return;
    const text = this.#end < 0 ? null : this.#arena.text(this.#start, this.#end);
    this.#last.set(this.#partition, text);
    this.#partition = 0;
  }
}

/** Only the newest offset of each source partition; a record without one changes nothing. */
class LastOffsets implements OffsetColumns {
  readonly #last = new Map<number, string | null>();
  #prepared = 0;
  #text: string | null | undefined;
  #bytes = 0;
  /** By how many bytes the prepared text is longer than the one it replaces. */
  #growth = 0;

  get bytes(): number {
    return this.#bytes + this.#growth;
  }

  prepare(partition: number, offset: SourceOffset | null | undefined): void {
    this.#prepared = partition;
    this.#growth = 0;
    this.#text = undefined;
    if (offset === undefined) return;
    this.#text = offset === null ? null : textOf(offset);
    const before = this.#last.get(partition);
    this.#growth = Buffer.byteLength(this.#text ?? "") - Buffer.byteLength(before ?? "");
  }

  push(): void {
    if (this.#text !== undefined) this.#last.set(this.#prepared, this.#text);
    this.#bytes += this.#growth;
    this.#growth = 0;
  }

  drop(): void {
    this.#growth = 0;
  }

  finish(parts: MessageParts): void {
    const arena = new Arena();
    const partitions = new VarintColumn();
    const sizes = new VarintColumn();
    for (const [partition, text] of this.#last) {
      partitions.push(partition);
      sizes.push(text === null ? 0 : arena.writeText(text) + 2);
    }
    parts.add(14, partitions.bytes());
    parts.add(15, sizes.bytes());
    parts.add(16, arena.bytes());
  }

  lastOffsets(): Iterable<OffsetEntry<number>> {
    return this.#last;
  }

  clear(): void {
    this.#last.clear();
    this.#bytes = 0;
  }
}
