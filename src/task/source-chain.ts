/**
 * A plugin's records as values, which transforms change before they are converted. Parts that no transform
 * of the chain looks at stay on their lanes, as they do without transforms.
 */
import { RecordError } from "../base/error.ts";
import type { PlainConverter } from "../convert/converter.ts";
import { RecentMap } from "../convert/recent-map.ts";
import { allParts, RowRecords, type WantedParts } from "../convert/row-record.ts";
import type { Columns, Definitions } from "../record/columns.ts";
import type { ConnectRecord, Data, Header } from "../record/connect-record.ts";
import type { RecordRow } from "../record/record-row.ts";
import { type ByteSlice, noBytes, type RecordSlice } from "../record/record-slice.ts";
import { applyStep, type Step, touchedBy } from "../transform/step.ts";
import type { RecordStep } from "./record-failures.ts";
import { converterStep, SourceLanes } from "./source-lanes.ts";
import { type ConvertParts, requireWritable, type SourceWay } from "./source-way.ts";

/** More names than a topic's headers have. */
const namesMax = 1_000;

export class SourceChain implements SourceWay {
  readonly #parts: ConvertParts;
  readonly #steps: readonly Step[];
  readonly #rows = new RowRecords();
  readonly #names = new RecentMap<string, Uint8Array>(namesMax);
  readonly #lanes: SourceLanes;
  readonly #touched: WantedParts;
  /** Reads every part; undefined: so does this one. */
  readonly #plain: SourceChain | undefined;
  #isPlain = false;
  #definitions: Definitions | undefined;
  #at: "read" | "lane" | "key" | "value" | "header" | "record" | Step = "read";

  /** `touched` is what the steps look at; more changes nothing but the cost. */
  constructor(
    parts: ConvertParts,
    steps: readonly Step[],
    canonicalJson = false,
    touched: WantedParts = touchedBy(steps),
  ) {
    this.#parts = parts;
    this.#steps = steps;
    this.#lanes = new SourceLanes(parts, canonicalJson);
    this.#touched = touched;
    if (touched.size < allParts.size) {
      this.#plain = new SourceChain(parts, steps, canonicalJson, allParts);
    }
  }

  get step(): RecordStep {
    if (this.#isPlain && this.#plain !== undefined) return this.#plain.step;
    const at = this.#at;
    if (typeof at === "object") return { stage: "TRANSFORMATION", className: at.className };
    if (at === "lane") return this.#lanes.step;
    return converterStep(at === "read" ? this.#rows.part : at, this.#parts);
  }

  begin(columns: Columns, definitions: Definitions): void {
    this.#definitions = definitions;
    this.#lanes.begin(columns, definitions);
    this.#plain?.begin(columns, definitions);
  }

  fill(row: RecordRow, record: RecordSlice): boolean {
    if (this.#plain === undefined) return this.#fill(row, record);
    try {
      this.#isPlain = false;
      return this.#fill(row, record);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      // Messages may quote the whole record, so the one that counts is that of the plain way.
      this.#isPlain = true;
      return this.#plain.fill(row, record);
    }
  }

  #fill(row: RecordRow, record: RecordSlice): boolean {
    this.#at = "read";
    const changed = this.#rows.read(row, this.#definitions as Definitions, this.#touched);
    for (const step of this.#steps) {
      this.#at = step;
      if (!applyStep(step, changed)) return false;
    }
    this.store(changed, row, record);
    return true;
  }

  /** Makes the record what is to be stored of one that has been through the chain. @throws as `fill` */
  protected store(changed: ConnectRecord, row: RecordRow, record: RecordSlice): void {
    this.#convert(changed, row, record);
    this.#at = "record";
    requireWritable(changed.topic, this.#parts.topicsRefused);
    record.topic = changed.topic;
    record.partition = changed.partition ?? -1;
    record.timestampMs = storedTimestamp(changed.timestamp);
  }

  prepare?(signal: AbortSignal): Promise<boolean>;

  /** In Connect's order: of two parts that fail the first is told. */
  #convert(changed: ConnectRecord, row: RecordRow, record: RecordSlice): void {
    const { keyConverter, valueConverter } = this.#parts;
    const touched = this.#touched;
    this.#at = touched.has("headers") ? "header" : "lane";
    if (touched.has("headers")) this.#headers(changed.headers, record);
    else this.#lanes.fillHeaders(row, record);
    this.#at = touched.has("key") ? "key" : "lane";
    if (touched.has("key")) place(record.key, keyConverter, changed.key);
    else this.#lanes.fillKey(row, record);
    this.#at = touched.has("value") ? "value" : "lane";
    if (touched.has("value")) place(record.value, valueConverter, changed.value);
    else this.#lanes.fillValue(row, record);
  }

  #nameBytes(name: string): Uint8Array {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const bytes = Buffer.from(name, "utf8");
    this.#names.set(name, bytes);
    return bytes;
  }

  #headers(from: readonly Header[], record: RecordSlice): void {
    const { headerConverter } = this.#parts;
    record.headerCount = from.length;
    from.forEach((header, index) => {
      const bytes = headerConverter.fromConnect(header);
      const start = bytes === null ? -1 : 0;
      const end = bytes === null ? -1 : bytes.length;
      const name = this.#nameBytes(header.name);
      record.headers[index] = { name, bytes: bytes ?? noBytes, start, end };
    });
  }
}

function place(slice: ByteSlice, converter: PlainConverter, data: Data): void {
  if (converter.fillFromConnect !== undefined) {
    converter.fillFromConnect(data, slice);
    return;
  }
  const bytes = converter.fromConnect(data);
  slice.prefix = noBytes;
  slice.suffix = noBytes;
  slice.bytes = bytes ?? noBytes;
  slice.start = bytes === null ? -1 : 0;
  slice.end = bytes === null ? -1 : bytes.length;
}

/** -1 = the time of sending. @throws RecordError for one that Kafka does not take */
function storedTimestamp(timestamp: number | bigint | null): number {
  if (timestamp === null) return -1;
  if (timestamp >= -1) return Number(timestamp);
  throw new RecordError("record.timestamp", `Invalid record timestamp ${timestamp}`);
}
