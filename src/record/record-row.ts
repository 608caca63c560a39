/** Walks a batch of a source record by record: where each part lies in the arena, without an object each. */
import { RecordError } from "../base/error.ts";
import { type Columns, emptyColumns } from "./columns.ts";

/** One record of a batch at a time; `next` goes on, first to the first. */
export class RecordRow {
  #columns: Columns = emptyColumns();
  /** Where the next record begins in the arena, and its first header in the header columns. */
  #end = 0;
  #headersEnd = 0;
  index = -1;
  topicId = 0;
  /** -1 = the producer chooses. */
  partition = -1;
  keyForm = 0;
  /** -1 = null. */
  keyStart = -1;
  keyEnd = -1;
  valueForm = 0;
  /** -1 = null. */
  valueStart = -1;
  valueEnd = -1;
  headerCount = 0;
  #firstHeader = 0;
  #header = 0;
  #headerAt = 0;
  headerName = 0;
  headerForm = 0;
  /** -1 = null. */
  headerStart = -1;
  headerEnd = -1;

  reset(columns: Columns): void {
    this.#columns = columns;
    this.index = -1;
    this.#end = 0;
    this.#headersEnd = 0;
  }

  get arena(): Uint8Array {
    return this.#columns.arena;
  }

  /** False behind the last. */
  next(): boolean {
    const columns = this.#columns;
    const index = this.index + 1;
    if (index >= columns.count) return false;
    this.index = index;
    const { topics, keySizes, valueSizes, headerCounts } = columns;
    this.topicId = (topics.length === 1 ? topics[0] : topics[index]) as number;
    this.partition = one(columns.partitions, index, 0) - 1;
    let at = this.#end;
    const keySize = keySizes.length === 0 ? 0 : (keySizes[index] as number);
    this.keyForm = one(columns.keyForms, index, 0);
    this.keyStart = keySize === 0 ? -1 : at;
    if (keySize > 0) at += keySize - 1;
    this.keyEnd = at;
    const valueSize = valueSizes.length === 0 ? 0 : (valueSizes[index] as number);
    this.valueForm = one(columns.valueForms, index, 0);
    this.valueStart = valueSize === 0 ? -1 : at;
    if (valueSize > 0) at += valueSize - 1;
    this.valueEnd = at;
    this.#end = at;
    this.headerCount = headerCounts.length === 0 ? 0 : (headerCounts[index] as number);
    if (this.headerCount > 0) this.#passHeaders(at);
    return true;
  }

  /** Milliseconds since the epoch; -1 = none. @throws RecordError for one that Kafka does not take */
  timestampMs(): number {
    const { timestamps } = this.#columns;
    if (timestamps.length === 0) return -1;
    const timestampMs = (
      timestamps.length === 1 ? timestamps[0] : timestamps[this.index]
    ) as number;
    if (timestampMs >= -1) return timestampMs;
    throw new RecordError("record.timestamp", `Invalid record timestamp ${timestampMs}`);
  }

  /** Whether Kafka takes the record's timestamp. */
  get hasTimestamp(): boolean {
    const { timestamps } = this.#columns;
    return ((timestamps.length === 1 ? timestamps[0] : timestamps[this.index]) ?? -1) >= 0;
  }

  /** Back before the record's first header. */
  firstHeader(): void {
    this.#header = this.#firstHeader;
    this.#headerAt = this.valueEnd;
  }

  /** Goes on to the record's next header; false behind the last. */
  nextHeader(): boolean {
    const header = this.#header;
    if (header >= this.#firstHeader + this.headerCount) return false;
    const { headerSizes, headerForms, headerNames } = this.#columns;
    const size = headerSizes.length === 0 ? 0 : (headerSizes[header] as number);
    this.headerName = headerNames[header] as number;
    this.headerForm = one(headerForms, header, 0);
    this.headerStart = size === 0 ? -1 : this.#headerAt;
    if (size > 0) this.#headerAt += size - 1;
    this.headerEnd = this.#headerAt;
    this.#header = header + 1;
    return true;
  }

  #passHeaders(start: number): void {
    const { headerSizes } = this.#columns;
    const first = this.#headersEnd;
    const end = first + this.headerCount;
    let at = start;
    if (headerSizes.length > 0) {
      for (let header = first; header < end; header += 1) {
        const size = headerSizes[header] as number;
        if (size > 0) at += size - 1;
      }
    }
    this.#firstHeader = first;
    this.#headersEnd = end;
    this.#end = at;
  }
}

/** A column of length 0, 1 or N at `index`. */
function one(column: Uint32Array, index: number, absent: number): number {
  if (column.length === 0) return absent;
  return (column.length === 1 ? column[0] : column[index]) as number;
}
