import { type Columns, Encoding } from "../plugin/gen/bulkhead/plugin/v1/record_pb.ts";
import { OffsetMode, type Records } from "../plugin/gen/bulkhead/plugin/v1/source_pb.ts";
import { isJson } from "./json-text.ts";

/** One record as a source sent it. */
export interface SourceRow {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Undefined where the batch gives offsets per partition only. */
  readonly partition: string | undefined;
  readonly offset: string | null | undefined;
}

/** One `Records` message, read. */
export interface SourceBatch {
  readonly seq: number;
  readonly pollEnd: boolean;
  /** What it costs of the credit. */
  readonly costRecords: number;
  readonly costBytes: number;
  readonly rows: readonly SourceRow[];
  /** The last offset of each partition in it. */
  readonly offsets: ReadonlyMap<string, string | null>;
}

/** What a batch costs in bytes (proto/README.md, section 5). */
export function costBytesOf(columns: Columns): number {
  const headers = columns.headerCounts.reduce((sum, count) => sum + count, 0);
  const rows = columns.count + headers;
  return columns.arena.length + columns.offsetArena.length + 64 * rows + 4_096;
}

const idMax = 65_535;

/** What a stream has defined, in one direction. */
export class Definitions {
  readonly topics = new Map<number, string>();
  readonly names = new Map<number, string>();
  readonly forms = new Map<number, Encoding>();
  readonly partitions = new Map<number, string>();

  define<T>(map: Map<number, T>, what: string, id: number, value: T, faults: string[]): void {
    if (id < 1 || id > idMax) faults.push(`${what} id ${id} is not from 1 to ${idMax}`);
    if (map.has(id)) faults.push(`${what} id ${id} is defined twice without a forget`);
    map.set(id, value);
  }

  forget(): void {
    for (const map of [this.topics, this.names, this.forms, this.partitions]) map.clear();
  }
}

/** Reads one batch and notes what does not follow section 8. */
export function readSourceBatch(
  records: Records,
  definitions: Definitions,
  mode: OffsetMode,
  faults: string[],
): SourceBatch {
  const { columns } = records;
  const seq = Number(records.batchSeq);
  const empty = { seq, pollEnd: records.pollEnd, rows: [], offsets: new Map() };
  if (columns === undefined) {
    faults.push(`batch ${seq} has no columns`);
    return { ...empty, costRecords: 1, costBytes: 4_096 };
  }
  const cost = { costRecords: Math.max(1, columns.count), costBytes: costBytesOf(columns) };
  const reader = new ColumnsReader(columns, definitions, mode, (fault) =>
    faults.push(`batch ${seq}: ${fault}`),
  );
  return { ...empty, ...cost, ...reader.read() };
}

class ColumnsReader {
  readonly #columns: Columns;
  readonly #definitions: Definitions;
  readonly #perRecord: boolean;
  readonly #fault: (text: string) => void;

  constructor(
    columns: Columns,
    definitions: Definitions,
    mode: OffsetMode,
    fault: (text: string) => void,
  ) {
    this.#columns = columns;
    this.#definitions = definitions;
    this.#perRecord = mode !== OffsetMode.LAST;
    this.#fault = fault;
  }

  read(): { rows: SourceRow[]; offsets: Map<string, string | null> } {
    const { count, arena, keySizes, valueSizes, headerCounts, headerSizes } = this.#columns;
    if (!this.#lengthsFit()) return { rows: [], offsets: new Map() };
    const offsets = this.#readOffsets();
    const rows: SourceRow[] = [];
    const bytes = Buffer.from(arena.buffer, arena.byteOffset, arena.length);
    let at = 0;
    let header = 0;
    const take = (size: number): Buffer | null => {
      if (size === 0) return null;
      at += size - 1;
      return bytes.subarray(at - size + 1, at);
    };
    for (let row = 0; row < count; row += 1) {
      const key = take(keySizes[row] ?? 0);
      const value = take(valueSizes[row] ?? 0);
      for (let left = headerCounts[row] ?? 0; left > 0; left -= 1) {
        take(headerSizes[header] ?? 0);
        header += 1;
      }
      rows.push({
        topic: this.#defined("topic", this.#definitions.topics, this.#one("topics", row)),
        key,
        value,
        ...(this.#perRecord ? this.#offsetOf(row, offsets) : noOffset),
      });
    }
    if (at !== arena.length) {
      this.#fault(`the sizes add up to ${at} bytes and the arena has ${arena.length}`);
    }
    this.#checkForms();
    return { rows, offsets: this.#lastOffsets(rows, offsets) };
  }

  #one(name: "topics" | "sourcePartitions", row: number): number {
    const column = this.#columns[name];
    return (column.length === 1 ? column[0] : column[row]) ?? 0;
  }

  #defined(what: string, map: ReadonlyMap<number, string>, id: number): string {
    const found = map.get(id);
    if (found === undefined) this.#fault(`${what} id ${id} was not defined before`);
    return found ?? "";
  }

  #offsetOf(row: number, offsets: readonly (string | null)[]) {
    const id = this.#one("sourcePartitions", row);
    const partition = this.#defined("partition", this.#definitions.partitions, id);
    return { partition, offset: offsets[row] ?? null };
  }

  #lastOffsets(rows: readonly SourceRow[], offsets: readonly (string | null)[]) {
    const last = new Map<string, string | null>();
    if (this.#perRecord) {
      for (const { partition, offset } of rows) last.set(partition ?? "", offset ?? null);
      return last;
    }
    this.#columns.sourcePartitions.forEach((id, index) => {
      const partition = this.#defined("partition", this.#definitions.partitions, id);
      if (last.has(partition)) this.#fault(`partition ${partition} is named twice`);
      last.set(partition, offsets[index] ?? null);
    });
    return last;
  }

  #readOffsets(): (string | null)[] {
    const { offsetSizes, offsetArena } = this.#columns;
    const bytes = Buffer.from(offsetArena.buffer, offsetArena.byteOffset, offsetArena.length);
    const texts: (string | null)[] = [];
    let at = 0;
    offsetSizes.forEach((size, index) => {
      if (size === 0) texts.push(null);
      else if (size === 1) {
        if (index === 0 || !this.#perRecord) this.#fault("an offset repeats one that is not there");
        texts.push(texts[index - 1] ?? null);
      } else {
        const text = bytes.toString("utf8", at, at + size - 2);
        at += size - 2;
        if (!isJson(text)) this.#fault(`the offset ${text.slice(0, 60)} is not JSON`);
        texts.push(text);
      }
    });
    if (at !== bytes.length) {
      this.#fault(`the offset sizes add up to ${at} bytes and offset_arena has ${bytes.length}`);
    }
    return texts;
  }

  #checkForms(): void {
    const { keyForms, valueForms, headerForms, headerNames } = this.#columns;
    for (const form of new Set([...keyForms, ...valueForms, ...headerForms])) {
      if (form !== 0 && !this.#definitions.forms.has(form)) {
        this.#fault(`form id ${form} was not defined before`);
      }
    }
    for (const name of new Set(headerNames)) {
      if (!this.#definitions.names.has(name)) this.#fault(`name id ${name} was not defined before`);
    }
  }

  #lengthsFit(): boolean {
    const columns = this.#columns;
    const { count } = columns;
    const headers = columns.headerCounts.reduce((sum, one) => sum + one, 0);
    if (count > 10_000) this.#fault(`count is ${count}, over 10,000`);
    const partitions = columns.sourcePartitions.length;
    const rules: [string, number, readonly number[]][] = [
      ["key_sizes", columns.keySizes.length, [0, count]],
      ["value_sizes", columns.valueSizes.length, [0, count]],
      ["key_forms", columns.keyForms.length, [0, 1, count]],
      ["value_forms", columns.valueForms.length, [0, 1, count]],
      ["topics", columns.topics.length, count === 0 ? [0] : [1, count]],
      ["partitions", columns.partitions.length, [0, 1, count]],
      ["timestamps", columns.timestamps.length, [0, 1, count]],
      ["header_counts", columns.headerCounts.length, [0, count]],
      ["header_names", columns.headerNames.length, [headers]],
      ["header_sizes", columns.headerSizes.length, [0, headers]],
      ["header_forms", columns.headerForms.length, [0, 1, headers]],
      ["offset_sizes", columns.offsetSizes.length, [this.#perRecord ? count : partitions]],
    ];
    if (this.#perRecord && count > 0) rules.push(["source_partitions", partitions, [1, count]]);
    const wrong = rules.filter(([, length, allowed]) => !allowed.includes(length));
    for (const [name, length, allowed] of wrong) {
      this.#fault(`${name} has ${length} entries; ${[...new Set(allowed)].join(" or ")} may be`);
    }
    return wrong.length === 0;
  }
}

const noOffset = { partition: undefined, offset: undefined };

/** Whether an encoding is one that the contract has. */
export function isEncoding(encoding: Encoding): boolean {
  return encoding >= Encoding.BYTES && encoding <= Encoding.JSON;
}
