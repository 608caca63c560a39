/**
 * From fetched record batches to columns for the plugin: one loop that reads a record, converts it
 * and copies it into the arena.
 */

import { RecordError, TaskError } from "../base/error.ts";
import { RecordCursor } from "../batch/decode.ts";
import type { Converter, HeaderConverter, SinkPiece } from "../convert/converter.ts";
import type { Fetched } from "../kafka/kafka.ts";
import type { IdMax, SinkStream } from "../plugin/plugin.ts";
import { type Form, nullForm } from "../record/columns.ts";
import { noBytes } from "../record/record-slice.ts";
import type { PutBuilder } from "./put-builder.ts";
import type { ReadStage, SinkFailures } from "./sink-failures.ts";

/** The contract's last id, less what the headers of one record may add on the way. */
const idMax: IdMax = 65_535;
const idGoal = idMax - 1_000;

export interface SinkConverters {
  readonly key: Converter;
  readonly value: Converter;
  readonly header: HeaderConverter;
}

/** The ids that a stream gave, asked again only when what they stand for changes. */
class StreamIds {
  readonly #stream: SinkStream;
  #form: Form = nullForm;
  #formId = 0;
  #topic = "";
  #topicId = 0;

  constructor(stream: SinkStream) {
    this.#stream = stream;
  }

  /** The same form object follows itself nearly always. */
  form(form: Form): number {
    if (form === this.#form) return this.#formId;
    this.#formId = form === nullForm ? 0 : this.#stream.formId(form);
    this.#form = form;
    return this.#formId;
  }

  topic(topic: string): number {
    if (topic === this.#topic) return this.#topicId;
    this.#topicId = this.#stream.topicId(topic);
    this.#topic = topic;
    return this.#topicId;
  }

  forget(): void {
    this.#form = nullForm;
    this.#formId = 0;
    this.#topic = "";
  }
}

export class SinkRecords {
  readonly #converters: SinkConverters;
  readonly #stream: SinkStream;
  /** What `fill` fills. */
  readonly builder: PutBuilder;
  readonly #keyIds: StreamIds;
  readonly #valueIds: StreamIds;
  readonly #cursor = new RecordCursor();
  readonly #key: SinkPiece = { form: nullForm, bytes: noBytes, start: -1, end: -1 };
  readonly #value: SinkPiece = { form: nullForm, bytes: noBytes, start: -1, end: -1 };
  readonly #header: SinkPiece = { form: nullForm, bytes: noBytes, start: -1, end: -1 };
  /** The cursor keeps the array of a name that comes again, so names are decoded once. */
  readonly #names = new WeakMap<Uint8Array, string>();
  /** Form and name ids of the record at hand. */
  readonly #ids = { key: 0, value: 0 };
  readonly #bytesMax: number;
  readonly #failures: SinkFailures;
  /** What the record at hand is going through. */
  #stage: ReadStage = "KEY_CONVERTER";

  constructor(
    converters: SinkConverters,
    stream: SinkStream,
    builder: PutBuilder,
    bytesMax: number,
    failures: SinkFailures,
  ) {
    this.#failures = failures;
    this.#converters = converters;
    this.#stream = stream;
    this.builder = builder;
    this.#keyIds = new StreamIds(stream);
    this.#valueIds = new StreamIds(stream);
    this.#bytesMax = bytesMax;
  }

  /** Waits for what records that fail take. */
  room(signal: AbortSignal): Promise<void> {
    return this.#failures.room(signal);
  }

  /** Begins with these batches; take them with `fill`. */
  start(fetched: Fetched): void {
    this.#cursor.reset(fetched);
    this.#held = this.#cursor.next();
  }

  /** Ids have run out: begins again with new ones. Only while the builder is empty. */
  #renewIds(): void {
    this.#stream.forget();
    this.#keyIds.forget();
    this.#valueIds.forget();
  }

  /** Looks up every id of the record at hand; false when one is past the contract's last. */
  #findIds(): boolean {
    const { headers, headerCount } = this.#cursor;
    this.#ids.key = this.#keyIds.form(this.#key.form);
    this.#ids.value = this.#valueIds.form(this.#value.form);
    let highest = Math.max(this.#ids.key, this.#ids.value);
    for (let index = 0; index < headerCount; index += 1) {
      const name = headers[index]?.name ?? noBytes;
      highest = Math.max(highest, this.#stream.nameId(this.#nameText(name)));
    }
    return highest <= idGoal;
  }

  /** The cursor stands on a record that is not in a batch yet. */
  #held = false;

  /**
   * Puts records into the builder until it is full (true: send it and call again) or the fetched
   * batches are used up (false). Answers in `nextOffset` how far it came.
   * @throws TaskError for a record that cannot be converted.
   */
  fill(fetched: Fetched): { full: boolean; nextOffset: number } {
    const cursor = this.#cursor;
    while (this.#held) {
      try {
        const added = this.#convertAndAdd(fetched) || this.#addWithNewIds(fetched);
        if (!added) return { full: true, nextOffset: cursor.offset };
      } catch (error) {
        if (!this.#leftOut(fetched, error)) throw this.#failed(fetched, cursor.offset, error);
      }
      this.#held = cursor.next();
    }
    return { full: false, nextOffset: fetched.nextOffset };
  }

  /** Whether the connector's policy goes on without the record at hand. */
  #leftOut(fetched: Fetched, error: unknown): boolean {
    if (!(error instanceof RecordError)) return false;
    const isBegun = this.#stage === "HEADER_CONVERTER";
    if (isBegun) this.builder.undo();
    return this.#failures.leaveOut(fetched, this.#cursor, this.#stage, error);
  }

  /** An empty builder always has room, so then it was the ids that ran out. */
  #addWithNewIds(fetched: Fetched): boolean {
    if (this.builder.count > 0) return false;
    this.#renewIds();
    return this.#convertAndAdd(fetched);
  }

  #convertAndAdd({ topic, partition }: Fetched): boolean {
    const cursor = this.#cursor;
    const key = this.#key;
    const value = this.#value;
    const { bytes } = cursor;
    this.#stage = "KEY_CONVERTER";
    this.#converters.key.toPlugin(bytes, cursor.keyStart, cursor.keyEnd, key);
    this.#stage = "VALUE_CONVERTER";
    const keySize = key.start < 0 ? 0 : key.end - key.start;
    this.#converters.value.toPlugin(bytes, cursor.valueStart, cursor.valueEnd, value);
    const valueSize = value.start < 0 ? 0 : value.end - value.start;
    const size = keySize + valueSize + this.#headerBytes();
    if (size + 64 * (1 + cursor.headerCount) + 4_096 > this.#bytesMax) {
      throw new RecordError(
        "record.too_large",
        `the record has ${size} bytes, more than a message to the plugin may carry ` +
          `(plugin.message.bytes.max = ${this.#bytesMax})`,
      );
    }
    const builder = this.builder;
    if (!builder.fits(size, cursor.headerCount)) return false;
    const topicId = this.#valueIds.topic(topic);
    if (topicId > idGoal || !this.#findIds()) return false;
    const { offset, timestampMs, timestampType } = cursor;
    builder.record(topicId, partition, offset, timestampMs, timestampType);
    builder.key(this.#ids.key, key.bytes, key.start, key.end);
    builder.value(this.#ids.value, value.bytes, value.start, value.end);
    this.#stage = "HEADER_CONVERTER";
    for (let index = 0; index < cursor.headerCount; index += 1) this.#addHeader(index);
    return true;
  }

  /** An upper bound is enough here: header values rarely grow, and never by much. */
  #headerBytes(): number {
    const { headers, headerCount } = this.#cursor;
    let size = 0;
    for (let index = 0; index < headerCount; index += 1) {
      const header = headers[index];
      if (header !== undefined) size += 2 * (header.end - header.start) + 32;
    }
    return size;
  }

  #addHeader(index: number): void {
    const slice = this.#cursor.headers[index];
    if (slice === undefined) return;
    const header = this.#header;
    this.#converters.header.toPlugin(slice.bytes, slice.start, slice.end, header);
    const form = header.form === nullForm ? 0 : this.#stream.formId(header.form);
    const name = this.#stream.nameId(this.#nameText(slice.name));
    this.builder.header(name, form, header.bytes, header.start, header.end);
  }

  #nameText(bytes: Uint8Array): string {
    const known = this.#names.get(bytes);
    if (known !== undefined) return known;
    const text = Buffer.from(bytes).toString("utf8");
    this.#names.set(bytes, text);
    return text;
  }

  #failed(fetched: Fetched, offset: number, cause: unknown): TaskError {
    return new TaskError("task.tolerance_exceeded", "Tolerance exceeded in error handler", {
      cause: new TaskError(
        "task.convert_failed",
        `cannot convert the record ${fetched.topic}-${fetched.partition}@${offset}`,
        { cause },
      ),
    });
  }
}
