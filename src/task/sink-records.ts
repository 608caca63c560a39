/**
 * From fetched record batches to columns for the plugin: one loop that reads a record, has it converted
 * and copies it into the arena.
 */

import { RecordError } from "../base/error.ts";
import { RecordCursor } from "../batch/decode.ts";
import type { Fetched, TopicPartition } from "../kafka/kafka.ts";
import type { IdMax, SinkStream } from "../plugin/plugin.ts";
import { type Form, nullForm } from "../record/columns.ts";
import { putStep } from "./errant-records.ts";
import type { PutBuilder } from "./put-builder.ts";
import type { PutFence } from "./put-fence.ts";
import type { RecordFailures } from "./record-failures.ts";
import { cursorRecord } from "./sink-failures.ts";
import type { SinkWay } from "./sink-way.ts";
import type { TaskMeter } from "./task.ts";

/** The contract's last id, less what the headers of one record may add on the way. */
const idMax: IdMax = 65_535;
const idGoal = idMax - 1_000;
/** The contract's limit on the headers of one record. */
const headersMax = 1_000;

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

/** How far `fill` came. */
export interface Filled {
  /** Why it stopped: the batch is full, the fetched batches are used up, or a record is to be tried again. */
  readonly at: "full" | "end" | "retry";
  readonly nextOffset: number;
  /** With `retry`: when. */
  readonly afterMs: number;
  /** Records were read since the last time: their topic is in use, also where transforms dropped all. */
  readonly isUsed: boolean;
}

export class SinkRecords {
  readonly #way: SinkWay;
  readonly #stream: SinkStream;
  /** What `fill` fills. */
  readonly builder: PutBuilder;
  readonly #keyIds: StreamIds;
  readonly #valueIds: StreamIds;
  /** Of the places where records were read. */
  readonly #originalIds: StreamIds;
  readonly #cursor = new RecordCursor();
  /** Form and topic ids of the record at hand. */
  readonly #ids = { key: 0, value: 0, topic: 0, original: 0 };
  readonly #bytesMax: number;
  readonly #failures: RecordFailures;
  readonly #meter: TaskMeter;
  readonly #fence: PutFence;
  /** The cursor stands on a record that is not in a batch yet. */
  #isHeld = false;
  /** The way has read it. */
  #isRead = false;
  /** Some of it is in the builder. */
  #isBegun = false;

  constructor(
    way: SinkWay,
    stream: SinkStream,
    builder: PutBuilder,
    bytesMax: number,
    failures: RecordFailures,
    meter: TaskMeter,
    fence: PutFence,
  ) {
    this.#fence = fence;
    this.#way = way;
    this.#failures = failures;
    this.#stream = stream;
    this.builder = builder;
    this.#keyIds = new StreamIds(stream);
    this.#valueIds = new StreamIds(stream);
    this.#originalIds = new StreamIds(stream);
    this.#bytesMax = bytesMax;
    this.#meter = meter;
  }

  /** Of what is to be tried again, before the next `fill`; false when the signal fired before it is ready. */
  async prepare(fetched: Fetched, signal: AbortSignal): Promise<boolean> {
    return (await this.#way.prepare?.(fetched, signal)) ?? true;
  }

  /** Begins with these batches; take them with `fill`. False when the signal fired before they are ready. */
  async start(fetched: Fetched, signal: AbortSignal): Promise<boolean> {
    // What records that fail take.
    await this.#failures.room(signal);
    this.#fence.start(fetched);
    this.#cursor.reset(fetched);
    this.#next();
    return this.prepare(fetched, signal);
  }

  /** What the builder has may kill the plugin: nothing else may be on its way with it. */
  get isSuspected(): boolean {
    return this.#fence.isInside && this.builder.count > 0;
  }

  #next(): void {
    this.#isHeld = this.#cursor.next();
    this.#isRead = false;
  }

  /** Ids have run out: begins again with new ones. Only while the builder is empty. */
  #renewIds(): void {
    this.#stream.forget();
    this.#keyIds.forget();
    this.#valueIds.forget();
    this.#originalIds.forget();
  }

  /** Looks up every id of the record at hand; false when one is past the contract's last. */
  #findIds(from: TopicPartition): boolean {
    const way = this.#way;
    const ids = this.#ids;
    ids.topic = this.#valueIds.topic(way.topic);
    ids.original = way.mayMove ? this.#originalIds.topic(from.topic) : 0;
    ids.key = this.#keyIds.form(way.key.form);
    ids.value = this.#valueIds.form(way.value.form);
    let highest = Math.max(ids.topic, ids.original, ids.key, ids.value);
    for (let index = 0; index < way.headerCount; index += 1) {
      highest = Math.max(highest, this.#stream.nameId(way.headerName(index)));
    }
    return highest <= idGoal;
  }

  /**
   * Puts records into the builder until it is full (send it and call again) or the fetched batches are
   * used up. Answers in `nextOffset` how far it came.
   * @throws TaskError for a record whose failure ends the task
   */
  fill(fetched: Fetched): Filled {
    const cursor = this.#cursor;
    let isUsed = false;
    while (this.#isHeld) {
      const nextOffset = cursor.offset;
      try {
        if (!this.#take(fetched)) return { at: "full", nextOffset, afterMs: 0, isUsed };
        isUsed = true;
      } catch (error) {
        const afterMs = this.#failed(fetched, error);
        if (afterMs !== undefined) return { at: "retry", nextOffset, afterMs, isUsed };
      }
      this.#next();
    }
    return { at: "end", nextOffset: fetched.nextOffset, afterMs: 0, isUsed };
  }

  /** False when there is no room for it; true also where a transform dropped it. */
  #take(fetched: Fetched): boolean {
    const { offset } = this.#cursor;
    if (offset >= this.#fence.from) {
      const verdict = this.#fence.judge(offset, this.builder.count);
      if (verdict === "send") return false;
      if (verdict === "leave-out") {
        const record = cursorRecord(fetched, this.#cursor);
        this.#failures.leaveOut(putStep, this.#fence.reason(), record);
        return true;
      }
    }
    if (!this.#isRead) {
      if (!this.#way.read(this.#cursor, fetched)) {
        this.#meter.recordsFilteredTotal += 1;
        return true;
      }
      this.#isRead = true;
    }
    return this.#add(fetched) || this.#addWithNewIds(fetched);
  }

  /** Undefined: the task goes on without the record at hand. */
  #failed(fetched: Fetched, error: unknown): number | undefined {
    if (this.#isBegun) this.builder.undo();
    this.#isBegun = false;
    this.#isRead = false;
    const record = cursorRecord(fetched, this.#cursor);
    return this.#failures.decide(this.#way.step, error, record);
  }

  /** An empty builder always has room, so then it was the ids that ran out. */
  #addWithNewIds(fetched: Fetched): boolean {
    if (this.builder.count > 0) return false;
    this.#renewIds();
    return this.#add(fetched);
  }

  #add(fetched: Fetched): boolean {
    const way = this.#way;
    const { key, value, headerCount } = way;
    const keySize = key.start < 0 ? 0 : key.end - key.start;
    const valueSize = value.start < 0 ? 0 : value.end - value.start;
    const size = keySize + valueSize + (headerCount === 0 ? 0 : way.headerBytes());
    if (size + 64 * (1 + headerCount) + 4_096 > this.#bytesMax) {
      throw new RecordError(
        "record.too_large",
        `the record has ${size} bytes, more than a message to the plugin may carry ` +
          `(plugin.message.bytes.max = ${this.#bytesMax})`,
      );
    }
    if (headerCount > headersMax) {
      throw new RecordError(
        "record.too_large",
        `the record has ${headerCount} headers, more than the ${headersMax} that a plugin takes`,
      );
    }
    const builder = this.builder;
    if (!builder.fits(size, headerCount)) return false;
    if (!this.#findIds(fetched)) return false;
    const { offset, timestampType } = this.#cursor;
    const ids = this.#ids;
    builder.record(ids.topic, way.partition, offset, way.timestampMs, timestampType);
    if (way.mayMove) builder.original(ids.original, fetched.partition);
    builder.key(ids.key, key.bytes, key.start, key.end);
    builder.value(ids.value, value.bytes, value.start, value.end);
    if (headerCount > 0) this.#addHeaders(headerCount);
    return true;
  }

  #addHeaders(count: number): void {
    this.#isBegun = true;
    for (let index = 0; index < count; index += 1) {
      const header = this.#way.header(index);
      const form = header.form === nullForm ? 0 : this.#stream.formId(header.form);
      const name = this.#stream.nameId(this.#way.headerName(index));
      this.builder.header(name, form, header.bytes, header.start, header.end);
    }
    this.#isBegun = false;
  }
}
