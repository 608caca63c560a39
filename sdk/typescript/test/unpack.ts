/** Reads what a plugin packed, with the generated code alone: rows in place of columns. */
import type { Columns, FormDef } from "../src/gen/bulkhead/plugin/v1/record_pb.ts";
import { Encoding } from "../src/gen/bulkhead/plugin/v1/record_pb.ts";
import type { SourceTaskMessage } from "../src/gen/bulkhead/plugin/v1/source_pb.ts";

export interface Piece {
  encoding: "bytes" | "text" | "json" | "null";
  schema: string | null;
  text: string | null;
}

export interface Row {
  topic: string;
  partition: number | null;
  timestamp: number;
  key: Piece;
  value: Piece;
  headers: (Piece & { name: string })[];
  /** Mode per-record. */
  sourcePartition?: string | undefined;
  sourceOffset?: string | null | undefined;
}

const encodings = {
  [Encoding.BYTES]: "bytes",
  [Encoding.TEXT]: "text",
  [Encoding.JSON]: "json",
} as const;

/** The host's memory of a source stream: definitions as they come, batches as rows. */
export class Unpacker {
  readonly #as: "utf8" | "hex";
  #topics = new Map<number, string>();
  #names = new Map<number, string>();
  #forms = new Map<number, FormDef>();
  #partitions = new Map<number, string>();

  /** `as`: how the bytes of keys, values and headers are shown. */
  constructor(as: "utf8" | "hex" = "utf8") {
    this.#as = as;
  }

  /** True when the message was a definition. */
  define({ kind }: SourceTaskMessage): boolean {
    switch (kind.case) {
      case "topic":
        return once(this.#topics, kind.value.id, kind.value.topic);
      case "name":
        return once(this.#names, kind.value.id, kind.value.name);
      case "form":
        return once(this.#forms, kind.value.id, kind.value);
      case "partition":
        return once(this.#partitions, kind.value.id, kind.value.partition);
      case "forget":
        for (const map of [this.#topics, this.#names, this.#forms, this.#partitions]) map.clear();
        return true;
      default:
        return false;
    }
  }

  rows(columns: Columns): Row[] {
    const arena = Buffer.from(columns.arena);
    let at = 0;
    let header = 0;
    const piece = (size: number, formId: number): Piece => {
      const form = this.#forms.get(formId);
      if (formId !== 0 && form === undefined) throw new Error(`form ${formId} is not defined`);
      const start = at;
      at += Math.max(0, size - 1);
      return {
        encoding: form === undefined ? "null" : encodings[form.encoding as 1 | 2 | 3],
        schema: form?.schema ?? null,
        text: size === 0 ? null : arena.toString(this.#as, start, at),
      };
    };
    let timestamp = 0n;
    const offsets = this.#offsets(columns);
    const rows = Array.from({ length: columns.count }, (_, row): Row => {
      const key = piece(columns.keySizes[row] ?? 0, pick(columns.keyForms, row));
      const value = piece(columns.valueSizes[row] ?? 0, pick(columns.valueForms, row));
      const headers = Array.from({ length: columns.headerCounts[row] ?? 0 }, () => {
        const name = known(this.#names, columns.headerNames[header]!);
        const of = piece(columns.headerSizes[header] ?? 0, pick(columns.headerForms, header));
        header += 1;
        return { name, ...of };
      });
      if (columns.timestamps.length === 0) timestamp = -1n;
      else if (row < columns.timestamps.length) timestamp += columns.timestamps[row]!;
      const partition = pick(columns.partitions, row) - 1;
      return {
        topic: known(this.#topics, pick(columns.topics, row)),
        partition: partition < 0 ? null : partition,
        timestamp: Number(timestamp),
        key,
        value,
        headers,
        ...offsets[row],
      };
    });
    if (at !== arena.length) throw new Error(`${arena.length - at} bytes of the arena are left`);
    return rows;
  }

  /** Mode last: by source partition. */
  lastOffsets(columns: Columns): Map<string, string | null> {
    const arena = Buffer.from(columns.offsetArena);
    let at = 0;
    return new Map(
      columns.sourcePartitions.map((id, row) => {
        const size = columns.offsetSizes[row]!;
        const start = at;
        at += Math.max(0, size - 2);
        return [known(this.#partitions, id), size === 0 ? null : arena.toString("utf8", start, at)];
      }),
    );
  }

  #offsets(columns: Columns): Pick<Row, "sourcePartition" | "sourceOffset">[] {
    if (columns.offsetSizes.length !== columns.count) return [];
    const arena = Buffer.from(columns.offsetArena);
    let at = 0;
    let last: string | null = null;
    return columns.offsetSizes.map((size, row) => {
      if (size === 1 && row === 0) throw new Error("the first offset is the same as none");
      if (size === 0) last = null;
      else if (size > 1) {
        last = arena.toString("utf8", at, at + size - 2);
        at += size - 2;
      }
      const sourcePartition = known(this.#partitions, pick(columns.sourcePartitions, row));
      return { sourcePartition, sourceOffset: last };
    });
  }
}

/** What a batch costs, by the contract's formula over the generated message. */
export function costOf(columns: Columns): number {
  const rows = columns.count + columns.headerNames.length;
  return columns.arena.length + columns.offsetArena.length + 64 * rows + 4_096;
}

function pick(column: readonly number[], row: number): number {
  return column[column.length === 1 ? 0 : row] ?? 0;
}

function known(map: ReadonlyMap<number, string>, id: number): string {
  const value = map.get(id);
  if (value === undefined) throw new Error(`id ${id} is not defined`);
  return value;
}

function once<T>(map: Map<number, T>, id: number, value: T): true {
  if (map.has(id) || id < 1 || id > 65_535) throw new Error(`id ${id} may not be defined`);
  map.set(id, value);
  return true;
}
